"""Whoever is on call in the simulated world: says yes, after a while, to what waits for a person."""

from dataclasses import dataclass, field

from bouted.cli.accept import agree
from bouted.daemon.service import Service
from bouted.reconcile.standing import HeldBy
from bouted.store.open import open_store
from bouted.testing.sim.world import World

AFTER_S = 600.0


@dataclass(slots=True)
class Person:
    """Since when each plan waits for a yes, and the plans that have got one."""

    world: World
    waiting: dict[str, float] = field(default_factory=dict)
    agreed: set[str] = field(default_factory=set)

    def look(self) -> None:
        """What `bouted status` shows as waiting for `bouted apply --yes` gets its yes after ten minutes."""
        active, now_s = self.world.active, self.world.loop.time()
        asked = _asked(active.service) if active is not None else set()
        self.waiting = {plan: self.waiting.get(plan, now_s) for plan in asked - self.agreed}
        for plan_id in [plan for plan, since in self.waiting.items() if now_s - since >= AFTER_S]:
            self._agree(plan_id)

    def _agree(self, plan_id: str) -> None:
        self.agreed.add(plan_id)
        self.world.tell(f"operator: bouted apply --yes {plan_id}")
        store = open_store(f"sqlite:///{self.world.folder}/bouted.db")
        agree(store, plan_id, "operator", self.world.loop.now())
        store.close()
        self.world.stirred.set()


def _asked(service: Service | None) -> set[str]:
    if service is None or service.last is None:
        return set()
    return {held.subject for held in service.last.held if held.by is HeldBy.MASS_STOP}
