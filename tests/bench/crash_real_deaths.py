"""Deaths of a real daemon, one at each step of a rollout, a replacement and a `down`, and what follows."""

import asyncio
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from bouted.providers.local import LocalLauncher
from sqlalchemy import select

from bouted.planner.plan import Plan, PlannedShape, PlanStatus
from bouted.planner.planned import PlannedNode
from bouted.reconcile.launcher import Launcher
from bouted.store.control import load_control, update_control
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.plans import desired_plan, save_plan, set_desired_plan
from bouted.store.tables import Actions, Nodes, Replicas, SpendAccounts
from bouted.testing.deployment import free_port
from bouted.testing.doomed import Steps, doomed
from bouted.testing.fleet import an_offer, planned
from bouted.testing.orders import EASY_COSTS
from bouted.testing.processes import end_engines, engines
from bouted.testing.settled import is_settled
from bouted.testing.store import a_plan, fresh_store

CONFIG = """\
version: 1
deployment: doomed
mode: apply
state_dir: {folder}
budget: {{usd_per_hour: 40}}
targets: {{e2e_p95_s: 20, quality_min: 0}}
workload: {{rate_per_s: 2, prompt_tokens: 100, output_tokens: 40}}
models: [{{name: small, spec: llama-3.1-8b}}]
routing: {{synthetic: true}}
changes: {{drain_s: 1, rollout: {{canary_s: 0, soak_s: 0}}}}
launcher: {{name: local, options: {{boot_s: 0}}}}
safety: {{deadman_hours: 0.1}}
listen: {{gateway_port: {port}}}
"""
FIRST, SECOND = "first", "second"
PATIENCE_S = 120.0
AT_ONCE = 12


@dataclass(slots=True)
class Death:
    """One daemon that died (or, with `die_at` None, did not), and the one that came after it."""

    folder: Path
    die_at: int | None
    victim: int = 0
    rescuer: int = 0
    before: frozenset[str] = frozenset()
    since: float = field(default_factory=monotonic)
    wrong: list[str] = field(default_factory=list)

    @property
    def steps(self) -> list[str]:
        """The steps the victim got to, by name."""
        return (self.folder / "steps").read_text(encoding="utf-8").splitlines()


def whole_life(folder: Path) -> list[str]:
    """The steps of a life that nobody ends early; AssertionError when it comes to no good end."""
    (death,) = deaths(folder, (None,))
    assert not death.wrong, death.wrong
    return death.steps


def deaths(folder: Path, steps: Iterable[int | None]) -> Iterator[Death]:
    """Kills a daemon at each of these steps, each in a deployment of its own, and lets another go on.

    `wrong` tells in plain sentences what was not as it should be after that.
    """
    waiting = list(steps)
    under_way: list[Death] = []
    while waiting or under_way:
        while waiting and len(under_way) < AT_ONCE:
            under_way.append(_begin(folder, waiting.pop(0)))
        for death in tuple(under_way):
            if _is_over(death):
                under_way.remove(death)
                yield death
        sleep(0.02)


def _begin(folder: Path, die_at: int | None) -> Death:
    own = folder / ("whole" if die_at is None else f"{die_at}")
    own.mkdir(parents=True)
    (own / "bouted.yaml").write_text(CONFIG.format(folder=own, port=free_port()), encoding="utf-8")
    store = fresh_store(own)
    for plan_id, gpu in ((FIRST, "L4"), (SECOND, "A10G")):
        save_plan(
            store, a_given_plan(store, plan_id, planned(an_offer(gpu=gpu), small=1)), PlanStatus.PROPOSED
        )
    store.close()
    death = Death(folder=own, die_at=die_at)
    death.victim = doomed(own / "bouted.yaml", Steps(own / "steps", die_at), _whole_story)
    return death


def a_given_plan(store: Store, plan_id: str, nodes: tuple[PlannedNode, ...]) -> Plan:
    """A plan that a daemon can carry out, although nobody searched for it; it is not in the store yet."""
    shapes = {shape.id: shape for node in nodes for shape in node.template.replicas}
    made = tuple(PlannedShape(shape=s, costs=EASY_COSTS, rate_per_s=2.0) for s in shapes.values())
    return replace(a_plan(store, plan_id, nodes=nodes), shapes=made)


async def _whole_story(store: Store, launcher: Launcher) -> None:
    """A first plan, another in its place, then everything down; each once the one before has settled."""
    for plan_id in (FIRST, SECOND):
        set_desired_plan(store, plan_id)
        await _settled(store, launcher)
    update_control(store, datetime.now(UTC), "test", down_requested=True)
    await _settled(store, launcher)


async def _settled(store: Store, launcher: Launcher) -> None:
    while not is_settled(store, launcher.seen(), datetime.now(UTC)):
        await asyncio.sleep(0.05)


def _is_over(death: Death) -> bool:
    """Takes it on as far as it goes without waiting."""
    pid = death.rescuer or death.victim
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended and monotonic() - death.since < PATIENCE_S:
        return False
    if not ended:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        death.wrong.append(f"it did not settle within {PATIENCE_S:g} s")
    elif os.WIFSIGNALED(status) and not death.rescuer:
        death.before = _rows(death.folder)
        death.rescuer = doomed(death.folder / "bouted.yaml", Steps(death.folder / "after"), _settled)
        return False
    elif status:
        death.wrong.append(f"the daemon ended with {status}: {_last_words(death.folder)}")
    death.wrong += _wrong(death)
    end_engines(death.folder)
    return True


def _wrong(death: Death) -> Iterator[str]:
    """What is not as it should be once the fleet has settled."""
    store = open_store(sqlite_url(death.folder))
    try:
        seen, now = LocalLauncher(death.folder, "doomed").seen(), datetime.now(UTC)
        if not is_settled(store, seen, now):
            yield "rows and launcher do not agree with the plan"
        if sorted(engines(death.folder)) != sorted(r.pid or 0 for r in seen.replicas):
            yield "processes run that the launcher does not know"
        yield from _lost(death, store)
        if death.die_at is None and not (load_control(store).down_requested and desired_plan(store)):
            yield "the story was not told to its end"
    finally:
        store.close()


def _lost(death: Death, store: Store) -> Iterator[str]:
    after = _rows(death.folder)
    for row in sorted(death.before - after):
        yield f"the row of {row} is lost"
    for folder in (death.folder / "local" / "nodes").glob("*"):
        if f"node {folder.name}" not in after:
            yield f"node {folder.name} was launched and no row tells of it"
    with store.reading() as session:
        for node in session.scalars(select(Nodes)):
            paid = session.scalars(select(SpendAccounts).where(SpendAccounts.node == node.name)).all()
            if len(paid) > 1:
                yield f"node {node.name} has {len(paid)} accounts"


def _rows(folder: Path) -> frozenset[str]:
    """Names of everything on record."""
    store = open_store(sqlite_url(folder))
    try:
        with store.reading() as session:
            return frozenset(
                [f"node {name}" for name in session.scalars(select(Nodes.name))]
                + [f"replica {name}" for name in session.scalars(select(Replicas.name))]
                + [f"action {number}" for number in session.scalars(select(Actions.id))]
                + [f"account {node}" for node in session.scalars(select(SpendAccounts.node))]
            )
    finally:
        store.close()


def _last_words(folder: Path) -> str:
    return (folder / "daemon.log").read_text(errors="replace").splitlines()[-1]
