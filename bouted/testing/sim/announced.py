"""Machines that the simulated provider takes with a notice, and what must come of the time it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bouted.reconcile.states import ReplicaStatus
from bouted.testing.sim.cloud import Machine
from bouted.testing.sim.faults import Fault
from bouted.testing.sim.invariants import Holds, Moment

BEFORE_S = 600.0  # what went wrong so long ago has been mended
AFTER_S = 300.0
ASKING_S = 30.0  # to hear, decide, order, see it come up, order again and see that


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A machine, when its end was announced and when that comes, and the models that it served then.

    `calm`: nothing else goes wrong meanwhile, and another machine like it could be had.
    """

    machine: Machine
    told_s: float
    takes_s: float
    models: frozenset[str]
    calm: bool


def apart(fault: Fault, others: tuple[Fault, ...], until_s: float) -> bool:
    """Whether nothing else in the script comes near what this fault lasts."""
    return all(
        other.at_s + other.span_s + BEFORE_S < fault.at_s or other.at_s > until_s + AFTER_S
        for other in others
        if other != fault
    )


@dataclass(slots=True)
class NoticesAreUsed(Holds):
    """Two minutes are enough for what comes up within them. `unserved_s` are the gaps that announced losses
    left, whatever the reason."""

    sentence: ClassVar[str] = (
        "a model whose machine is taken with a notice goes on being served when a replacement can be had"
        " and comes up in time"
    )
    gaps: dict[str, tuple[Announced, float]] = field(default_factory=dict)
    unserved_s: list[float] = field(default_factory=list)

    def taken(self, at: Moment, announced: Announced) -> None:
        """The machine is gone now."""
        for model in sorted(announced.models):
            if _serving(at, model):
                self.unserved_s.append(0.0)
            else:
                self.gaps[model] = (announced, at.now_s)

    def committed(self, at: Moment) -> str:
        for model, (announced, since_s) in list(self.gaps.items()):
            found = _serving(at, model)
            if found:
                del self.gaps[model]
                self.unserved_s.append(at.now_s - since_s)
                late = min(_took_s(machine, name) for name, machine in found.items())
                had_s = announced.takes_s - announced.told_s
                if announced.calm and late + ASKING_S <= had_s:
                    told = f"the end of {announced.machine.name} was announced {had_s:.0f} s before"
                    gap = f"{model} was unserved for {at.now_s - since_s:.0f} s although {told}"
                    return f"{gap}, and its replacement took {late:.0f} s"
        return ""


def _serving(at: Moment, model: str) -> Mapping[str, Machine]:
    """The machines of the replicas of a model that are routed to and answer, by replica."""
    running = {machine.name: machine for machine in at.cloud.running()}
    return {
        row.name: running[row.node]
        for row in at.rows.replicas.values()
        if row.model == model
        and row.status is ReplicaStatus.READY
        and row.node in running
        and at.cloud.answers(running[row.node], row.name)
    }


def _took_s(machine: Machine, replica: str) -> float:
    engine = machine.engines[replica]
    boot, listen = machine.up_at - machine.started_at, engine.listens_at - engine.started_at
    return (boot + listen).total_seconds()
