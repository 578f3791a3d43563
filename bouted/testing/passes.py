"""The daemon's own passes over any store and a cloud in memory: for tests of what the store lives through."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from bouted.daemon.compose import Outside, compose, reconciler_of
from bouted.daemon.held_config import HeldConfig
from bouted.daemon.parts import Loaded, load, selection_of
from bouted.daemon.planning import PlanMaker
from bouted.daemon.reconciling import Pass, Reconciler
from bouted.daemon.service import Service
from bouted.daemon.traffic import Traffic
from bouted.planner.client import PlanningWorker
from bouted.planner.plan import PlannedShape, PlanStatus
from bouted.planner.planned import PlannedNode
from bouted.reconcile.launcher import Launcher, Seen
from bouted.reconcile.observe import Health
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store
from bouted.store.plans import save_plan, set_desired_plan
from bouted.testing.clock import ManualClock
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.orders import EASY_COSTS
from bouted.testing.store import a_plan

T = TypeVar("T")

_CONFIG = """\
version: 1
deployment: test
mode: apply
state_dir: state
budget: {usd_per_hour: 40}
targets: {e2e_p95_s: 20, quality_min: 0.0}
workload: {rate_per_s: 2, prompt_tokens: 100, output_tokens: 40, window_s: 20}
models:
  - {name: small, spec: llama-3.1-8b}
  - {name: large, spec: llama-3.1-70b}
routing: {synthetic: true}
prices: {sources: [{name: snapshot}]}
changes: {drain_s: 5}
launcher: {name: local}
"""


async def at_once(call: Callable[..., T], /, *args: object) -> T:
    """Blocking calls, made in turn."""
    return call(*args)


@dataclass(slots=True)
class HealthyEngines:
    """Every engine that has an endpoint answers well and is idle."""

    metrics: dict[str, str] = field(default_factory=dict)

    async def probe(self, seen: Seen) -> tuple[Health, ...]:
        """One good answer per engine."""
        return tuple(
            Health(replica=engine.name, ok=True, running=0, waiting=0)
            for engine in seen.replicas
            if engine.endpoint
        )

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True, kw_only=True)
class Passes:
    """A fenced store, a cloud, and the reconciler between them."""

    store: Store
    clock: ManualClock
    cloud: MemoryCloud
    reconciler: Reconciler

    async def go(self, seconds: int) -> Pass:
        """A pass a second for so long; the last of them."""
        last = await self.reconciler.run_pass()
        for _ in range(seconds - 1):
            self.clock.advance(1)
            last = await self.reconciler.run_pass()
        self.clock.advance(1)
        return last

    def want(self, plan_id: str, nodes: tuple[PlannedNode, ...]) -> None:
        """Put a plan for these nodes in force."""
        shapes = {shape for node in nodes for shape in node.template.replicas}
        costed = tuple(PlannedShape(shape=shape, costs=EASY_COSTS, rate_per_s=2.0) for shape in shapes)
        plan = a_plan(self.store, plan_id, created_at=self.clock.now(), nodes=nodes)
        save_plan(self.store, replace(plan, shapes=costed), PlanStatus.PROPOSED)
        set_desired_plan(self.store, plan_id)

    def launches(self) -> list[str]:
        """Names of the nodes that were asked for, oldest first."""
        return [name for method, name in self.cloud.calls if method == "launch"]


def passes_over(
    store: Store,
    folder: Path,
    *,
    cloud: MemoryCloud | None = None,
    seen_through: Callable[[Launcher], Launcher] = lambda launcher: launcher,
) -> Passes:
    """Passes over this store, with what they write to files in `folder`."""
    clock = cloud.clock if cloud is not None else ManualClock()
    assert isinstance(clock, ManualClock)
    cloud = cloud or MemoryCloud(clock, boot_s=2, listen_s=2)
    loaded = _loaded(folder)
    outside = _outside(store, loaded, clock, seen_through(MemoryLauncher(cloud, name="local")))
    reconciler = reconciler_of(HeldConfig(loaded), outside)
    return Passes(store=outside.store, clock=clock, cloud=cloud, reconciler=reconciler)


def service_over(store: Store, folder: Path) -> Service:
    """The whole daemon over this store and an empty cloud; nothing of it runs by itself."""
    clock, loaded = ManualClock(), _loaded(folder)
    return compose(loaded, _outside(store, loaded, clock, MemoryLauncher(MemoryCloud(clock), name="local")))


def _loaded(folder: Path) -> Loaded:
    config = folder / "passes.yaml"
    config.write_text(_CONFIG, encoding="utf-8")
    (folder / "state").mkdir(exist_ok=True)
    return load(config)


def _outside(store: Store, loaded: Loaded, clock: ManualClock, launcher: Launcher) -> Outside:
    token = take_lease(store, DAEMON_LEASE, "passes", clock.now(), 3600)
    fenced = store.fenced(DAEMON_LEASE, token)
    return Outside(
        store=fenced,
        token=token,
        clock=clock,
        launcher=launcher,
        prober=HealthyEngines(),
        traffic=Traffic("http://127.0.0.1:9"),
        feeds=(),
        maker=PlanMaker(
            store=fenced, worker=PlanningWorker(), catalog=loaded.catalog, clock=clock, policy=selection_of
        ),
        in_thread=at_once,
    )
