"""A new kind of replica behind the real gateway: a small share first; one that is slow never gets more."""

import asyncio
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import httpx
import pytest

from bouted.clock import SystemClock
from bouted.codec import dump
from bouted.config.change import planning_hash
from bouted.config.schema import Config
from bouted.daemon.compose import Outside, compose
from bouted.daemon.health import HealthProber
from bouted.daemon.parts import Loaded, feeds_of, launcher_of, load, selection_of
from bouted.daemon.planning import Made, OnProgress, PlanMaker
from bouted.daemon.service import Service
from bouted.daemon.traffic import Traffic
from bouted.events import EventKind
from bouted.market.offers import Market, Offer
from bouted.perf.build import build_profiles
from bouted.perf.rescale import slower
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Frontier
from bouted.planner.plan import Plan, PlannedShape, PlanStatus, Trigger
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.quality.route_split import RouteRule, RouteSplit
from bouted.reconcile.launcher import Launcher, ReplicaOrder
from bouted.reconcile.states import ReplicaStatus
from bouted.store.control import update_control
from bouted.store.corrections import load_corrections
from bouted.store.documents import put_document
from bouted.store.events import list_events
from bouted.store.fleet import load_fleet
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store
from bouted.store.plans import desired_plan, list_plans, save_plan
from bouted.testing.builders import a_problem, rules, targets
from bouted.testing.deployment import free_port
from bouted.testing.fleet import an_offer, planned
from bouted.testing.orders import EASY_COSTS
from bouted.testing.processes import end_engines
from bouted.testing.store import a_plan, fresh_store
from bouted.workload.declared import declared_profile
from bouted.workload.profile import WorkloadProfile

CONFIG = """\
version: 1
deployment: test
mode: apply
state_dir: state
budget: {{usd_per_hour: 40, surge_usd_per_hour: 40}}
targets: {{ttft_p95_ms: 2000}}
workload: {{rate_per_s: 12, prompt_tokens: 40, output_tokens: 12, window_s: 10}}
models: [{{name: small, spec: llama-3.1-8b, quality: 0.8}}]
supply:
  gpus: {{allow: [L4, L40S]}}
  owned:
    - {{name: old, gpu: L40S, gpu_count: 1, region: here, usd_per_hour: 3}}
    - {{name: new, gpu: L4, gpu_count: 1, region: here, usd_per_hour: 1}}
prices: {{sources: [{{name: snapshot}}]}}
changes:
  drain_s: 2
  min_replan_gap_s: 3600
  load_settle_s: 3600
  rollout: {{canary_share: 0.1, canary_s: 3, canary_requests: 6, soak_s: 3}}
launcher: {{name: local, options: {{boot_s: 0.1}}}}
listen: {{gateway_port: {port}}}
"""
SLOWNESS = 4.0
MIX = declared_profile(
    rate_per_s=12, prompt_tokens=40, output_tokens=12, arrival_cv=1.0, most_tokens=4096, seed=1
)
PROMPT = "word " * 32
OLD, NEW = "L40S", "L4"


class SlowKind:
    """A launcher whose engines on one GPU are slower than anybody knows."""

    def __init__(self, launcher: Launcher, gpu: str, tempo: float) -> None:
        self._launcher, self._gpu, self._tempo = launcher, gpu, tempo

    def start_replica(self, order: ReplicaOrder) -> None:
        if order.shape.gpu == self._gpu:
            costs = slower(order.costs, tempo=self._tempo, added_s=0.0, spread=0.0)
            order = replace(order, costs=costs)
        self._launcher.start_replica(order)

    def __getattr__(self, name: str) -> object:
        return getattr(self._launcher, name)


class Prepared(PlanMaker):
    """Plans without searching: the old kind first; asked again, what is in force stays."""

    __slots__ = ("triggers",)

    triggers: list[Trigger]

    async def make(
        self,
        config: Config,
        offers: tuple[Offer, ...],
        workload: WorkloadProfile,
        trigger: Trigger,
        on_progress: OnProgress,
    ) -> Made:
        self.triggers.append(trigger)
        held = trigger is not Trigger.FIRST
        plan = prepared_plan(self.store, config, f"p{len(self.triggers)}", OLD, offers)
        save_plan(self.store, plan, PlanStatus.HELD if held else PlanStatus.PROPOSED)
        front = Frontier(designs=(), incumbent=None, nearest=None, swept=0, simulated=0, seconds=0.0, seed=1)
        return Made(plan=plan, held=held, frontier=front, problem=problem_of(offers))


def nodes_on(gpu: str, offers: tuple[Offer, ...]) -> tuple[PlannedNode, ...]:
    (offer,) = (o for o in offers if o.gpu == gpu and o.market is Market.OWNED)
    return planned(offer, small=1)


def problem_of(offers: tuple[Offer, ...]) -> PlanningProblem:
    shapes = tuple(nodes_on(gpu, offers)[0].template.replicas[0] for gpu in (OLD, NEW))
    costs = replace(EASY_COSTS, spread=0.1)
    table = build_profiles(tuple((shape, costs) for shape in shapes), MIX.lengths, 1.0, seed=1)
    return a_problem((an_offer(),), table, (rules("small"),), workload=MIX, wanted=targets(ttft=2.0))


def prepared_plan(store: Store, config: Config, plan_id: str, gpu: str, offers: tuple[Offer, ...]) -> Plan:
    """One replica of `small` on that GPU, promised to be as fast as `EASY_COSTS` say."""
    nodes, problem = nodes_on(gpu, offers), problem_of(offers)
    shape = nodes[0].template.replicas[0]
    plan = a_plan(store, plan_id, created_at=SystemClock().now(), nodes=nodes)
    return replace(
        plan,
        shapes=(PlannedShape(shape=shape, costs=EASY_COSTS, rate_per_s=40.0),),
        split=RouteSplit(models=("small",), shares=(1.0,), rules=(RouteRule(),), scorer_hash=""),
        rate_per_s=12.0,
        problem_hash=put_document(store, "problem", dump(PlanningProblem, problem)),
        config_hash=planning_hash(config),
    )


@dataclass
class Clients:
    """Threads that ask the gateway without a pause; who answered, and what else came."""

    url: str
    answered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def start(self, count: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def _ask(self) -> None:
        body = {
            "model": "auto", "stream": True, "max_tokens": 12, "ignore_eos": True,
            "messages": [{"role": "user", "content": PROMPT}],
        }  # fmt: skip
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as client:
            while not self.stopped.is_set():
                with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                    text = answer.read().decode()
                    replica = answer.headers.get("x-bouted-replica", "")
                    broken = answer.status_code != 200 or '"error"' in text
                    (self.failed if broken else self.answered).append(replica or text)


@dataclass
class World:
    """The daemon in this process, passes as fast as they go; gateway and engines are processes."""

    service: Service
    store: Store
    loaded: Loaded
    clients: Clients
    maker: Prepared

    async def drive(self, reached: Callable[[], object], within_s: float = 60) -> None:
        deadline = monotonic() + within_s
        while not reached():
            assert monotonic() < deadline, [event.message for event in list_events(self.store)]
            await self.service.poll_traffic()
            await self.service.run_pass()
            await self.service.consider()
            await asyncio.sleep(0.1)

    def serving(self) -> Counter[str]:
        fleet = load_fleet(self.store, SystemClock().now())
        return Counter(r.shape.gpu for r in fleet.replicas if r.status is ReplicaStatus.READY)

    def live(self) -> Counter[str]:
        fleet = load_fleet(self.store, SystemClock().now())
        return Counter(r.shape.gpu for r in fleet.replicas if r.live)

    def accept(self, plan_id: str, gpu: str) -> None:
        """A person says yes to a plan for one replica on this GPU."""
        offers = self.service.market.offers(self.loaded.config)
        save_plan(
            self.store,
            prepared_plan(self.store, self.loaded.config, plan_id, gpu, offers),
            PlanStatus.PROPOSED,
        )
        update_control(self.store, SystemClock().now(), "test", accepted_plan_id=plan_id)

    def told(self, kind: EventKind) -> list[str]:
        return [event.message for event in reversed(list_events(self.store)) if event.kind is kind]

    def statuses(self) -> dict[str, PlanStatus]:
        return {row.plan.id: row.status for row in list_plans(self.store, 10)}

    def shares(self) -> dict[str, float | None]:
        table = self.service.reconciler.routing.table
        return {} if table is None else {route.replica: route.share for route in table.routes}

    def asked(self, gpu: str, since: int) -> float:
        """The share of the answers since then that replicas on this GPU gave."""
        fleet = load_fleet(self.store, SystemClock().now())
        names = {replica.name for replica in fleet.replicas if replica.shape.gpu == gpu}
        answers = self.clients.answered[since:]
        return sum(name in names for name in answers) / max(1, len(answers))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "state").mkdir()
    yield tmp_path
    end_engines(tmp_path / "state")


def a_world(folder: Path, tempo: float) -> World:
    port = free_port()
    (folder / "bouted.yaml").write_text(CONFIG.format(port=port), encoding="utf-8")
    loaded, clock = load(folder / "bouted.yaml"), SystemClock()
    store = fresh_store(folder / "state")
    token = take_lease(store, DAEMON_LEASE, "test", clock.now(), 3600)
    assert token is not None
    maker = Prepared(
        store=store, worker=PlanningWorker(), catalog=loaded.catalog, clock=clock, policy=selection_of
    )
    maker.triggers = []
    url = f"http://127.0.0.1:{port}"
    outside = Outside(
        store=store.fenced(DAEMON_LEASE, token),
        token=token,
        clock=clock,
        launcher=SlowKind(launcher_of(loaded.config), NEW, tempo),  # type: ignore[arg-type]
        prober=HealthProber(clock),
        traffic=Traffic(url),
        feeds=feeds_of(loaded),
        maker=maker,
    )
    return World(compose(loaded, outside), store, loaded, Clients(url), maker)


def run(folder: Path, tempo: float, story: Callable[[World], Awaitable[None]]) -> World:
    """Tell the story with the fleet of the first plan serving, the gateway up and clients asking."""
    world = a_world(folder, tempo)
    config = str(folder / "bouted.yaml")
    gateway = subprocess.Popen(
        [sys.executable, "-m", "bouted.cli", "gateway", "--config", config],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    threads: list[threading.Thread] = []

    async def tell() -> None:
        try:
            await asyncio.wait_for(begin_and_tell(), 150)
        finally:
            await world.service.reconciler.executor.settle()
            await world.service.traffic.close()
            await world.service.prober.close()

    async def begin_and_tell() -> None:
        await world.service.begin()
        await world.drive(lambda: world.serving()[OLD] == 1)
        await world.drive(lambda: _answers(world.clients.url))
        threads.extend(world.clients.start(2))
        await world.drive(lambda: not world.service.reconciler.rollouts.state.on_trial)
        await story(world)

    try:
        with closing(world.store):
            asyncio.run(tell())
    finally:
        world.clients.stopped.set()
        for thread in threads:
            thread.join(20)
        gateway.terminate()
        gateway.wait(20)
    return world


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/ready", trust_env=False).status_code == 200
    return False


@pytest.mark.timeout(240)
def test_a_canary_that_is_slow_is_rolled_back_while_the_old_replica_serves(folder: Path) -> None:
    async def story(world: World) -> None:
        world.accept("slow", NEW)
        await world.drive(lambda: world.serving()[NEW] == 1)
        await world.drive(lambda: 0.1 in world.shares().values())
        since = len(world.clients.answered)
        await world.drive(lambda: world.statuses()["slow"] is PlanStatus.ROLLED_BACK)
        assert world.asked(NEW, since) < 0.2, "the canary never got more than its small share"
        plan = desired_plan(world.store)
        assert plan is not None
        assert plan.id == "p1"
        assert world.serving()[OLD] == 1, "the old replica never left"
        await world.drive(lambda: Trigger.ROLLBACK in world.maker.triggers)
        await world.drive(lambda: world.live() == {OLD: 1}, within_s=40)
        assert world.statuses() == {
            "p1": PlanStatus.APPLIED,
            "slow": PlanStatus.ROLLED_BACK,
            "p2": PlanStatus.HELD,
        }
        (told,) = world.told(EventKind.PLAN_ROLLED_BACK)
        assert told.startswith("plan slow rolled back: small@L4:")
        assert "promised at most" in told
        assert "plan p1 is in force again" in told
        (learned,) = (c for key, c in load_corrections(world.store).items() if "@L4:" in key)
        assert learned.tempo.factor == pytest.approx(SLOWNESS, rel=0.35)
        triggers = len(world.maker.triggers)
        await _for_a_while(world, 3)
        assert len(world.maker.triggers) == triggers, "a rollback is answered by planning once"
        assert list(world.statuses().values()).count(PlanStatus.ROLLED_BACK) == 1

    world = run(folder, SLOWNESS, story)
    assert world.clients.failed == []


@pytest.mark.timeout(240)
def test_a_canary_that_is_as_promised_takes_over_step_by_step(folder: Path) -> None:
    seen: list[float | None] = []

    async def story(world: World) -> None:
        world.accept("new", NEW)

        def taken_over() -> bool:
            table = world.service.reconciler.routing.table
            assert table is not None
            by_gpu = {route.replica: route.share for route in table.routes}
            fleet = load_fleet(world.store, SystemClock().now())
            for replica in fleet.replicas:
                if replica.shape.gpu == NEW and replica.name in by_gpu and by_gpu[replica.name] not in seen:
                    seen.append(by_gpu[replica.name])
            return world.live() == {NEW: 1}

        since = len(world.clients.answered)
        await world.drive(taken_over, within_s=90)
        assert seen == [0.1, 0.25, 0.5, None]
        assert world.statuses()["new"] is PlanStatus.APPLIED
        assert 0 < world.asked(NEW, since) < 1
        proved = world.told(EventKind.ROLLOUT)[-1]
        assert proved.startswith("small@L4:")
        assert "is proved" in proved
        assert any("@L4:" in key for key in load_corrections(world.store)), "what the trial taught is kept"

    world = run(folder, 1.0, story)
    assert world.clients.failed == []


async def _for_a_while(world: World, seconds: float) -> None:
    until = monotonic() + seconds
    await world.drive(lambda: monotonic() > until)
