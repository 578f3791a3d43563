"""The executor against a real store and a cloud in memory: crashes between any two steps leave no leak."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bouted.errors import AlreadyRunning, Misconfigured
from bouted.perf.costs import StepCosts
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import ReplicaShape
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import Action, DrainReplica, LaunchNode, Limits, StartReplica, StopNode
from bouted.reconcile.diff import diff
from bouted.reconcile.execute import Context, Executor
from bouted.reconcile.failed_starts import ENOUGH, failed_starts
from bouted.reconcile.launcher import KnownNode, Launcher, NodeOrder, ReplicaOrder, Seen, SeenNode
from bouted.reconcile.observe import Health, awaited, listed, observe
from bouted.reconcile.order import order
from bouted.reconcile.serving import Serving
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.actions import list_actions
from bouted.store.fleet import add_replica, load_fleet, move_node, move_replica
from bouted.store.interrupted import close_interrupted
from bouted.store.kinds import ActionState
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store
from bouted.store.spend import committed_usd_per_hour
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import START, an_offer, limits, planned, standing
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.orders import EASY_COSTS
from bouted.testing.store import fresh_store

L4 = an_offer("aws", gpu="L4", usd_per_hour="0.80")
H100 = an_offer("lambda", gpu="H100-80GB", gpu_count=2, usd_per_hour="6.00")
EVERYWHERE = tuple(ModelRules(name=m, clouds=(), regions=(), min_replicas=0) for m in ("small", "large"))


class Crash(BaseException):
    """The process dies here."""


@dataclass
class DyingLauncher:
    """Passes calls on; dies before or after the n-th one that changes something."""

    inner: Launcher
    die_at: int = -1
    after: bool = False
    calls: int = 0
    name: str = field(default="memory")

    def _mortal(self, call: object, *args: object) -> None:
        self.calls += 1
        dying = self.calls == self.die_at
        if dying and not self.after:
            raise Crash
        call(*args)  # type: ignore[operator]
        if dying:
            raise Crash

    def launch(self, order: NodeOrder) -> None:
        self._mortal(self.inner.launch, order)

    def start_replica(self, order: ReplicaOrder) -> None:
        self._mortal(self.inner.start_replica, order)

    def stop_replica(self, name: str, node: str) -> None:
        self._mortal(self.inner.stop_replica, name, node)

    def stop_node(self, name: str) -> None:
        self._mortal(self.inner.stop_node, name)

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        return self.seen().nodes

    def seen(self) -> Seen:
        return self.inner.seen()

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        self.inner.renew(nodes, for_s)


@dataclass
class World:
    """A store, a cloud, and a daemon that may die and come back."""

    store: Store
    clock: ManualClock
    cloud: MemoryCloud
    limits: Limits

    def one_pass(self, wanted: tuple[PlannedNode, ...], launcher: Launcher) -> int:
        """What the daemon does in one pass; returns how many actions it took."""
        now = self.clock.now()
        seen = launcher.seen()
        health = tuple(
            Health(replica=r.name, ok=True, running=0, waiting=0) for r in seen.replicas if r.endpoint
        )
        known = load_fleet(self.store, now)
        waited, there = (frozenset().union(*pair) for pair in (awaited(known), listed(seen)))
        saw = observe(known, seen, health, self.limits, now, waited - there)
        for n in saw.nodes:
            move_node(self.store, n.name, n.status, n.reason, now, launched_at=n.launched_at)
        for r in saw.replicas:
            move_replica(self.store, r.name, r.status, r.reason, now, endpoint=r.endpoint)
        fleet = load_fleet(self.store, now)
        idle = frozenset(r.name for r in fleet.replicas if r.status is ReplicaStatus.DRAINING)
        around = standing(idle=idle, unseen=saw.unseen)
        actions = order(diff(wanted, fleet, "memory"), fleet, self.limits, now, around).actions
        executor = Executor(store=self.store, launcher=launcher, clock=self.clock)
        for action in actions:
            executor.perform(action, context(self.limits))
        return len(actions)

    def converge(self, wanted: tuple[PlannedNode, ...], passes: int = 40) -> None:
        launcher = MemoryLauncher(self.cloud, "t", deadman_s=1e9, name="memory")
        quiet = 0
        for _ in range(passes):
            quiet = 0 if self.one_pass(wanted, launcher) else quiet + 1
            self.clock.advance(20)
            if quiet >= 8:
                return
        raise AssertionError("still acting")

    def running(self) -> tuple[int, int]:
        """Nodes and engines that really run, whatever the store says."""
        seen = MemoryLauncher(self.cloud, "t", deadman_s=1e9, name="memory").seen()
        return sum(node.ended_at is None for node in seen.nodes), len(seen.replicas)


def nothing() -> Decimal:
    return Decimal(0)


def context(bounds: Limits) -> Context:
    def costs(shape: ReplicaShape) -> StepCosts:
        return EASY_COSTS

    def serving(shape: ReplicaShape) -> Serving:
        return Serving(name=shape.model, weights=shape.model, flags=EngineFlags(max_model_len=4096))

    return Context(
        plan_id="p", limits=bounds, rules=EVERYWHERE, costs_of=costs, serving=serving, month_usd=nothing
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = ManualClock(START)
    store = fresh_store(tmp_path)
    yield World(store=store, clock=clock, cloud=MemoryCloud(clock), limits=limits())
    store.close()


def plan_a() -> tuple[PlannedNode, ...]:
    return planned(L4, 2, small=1) + planned(H100, large=1)


def plan_b() -> tuple[PlannedNode, ...]:
    return planned(L4, small=1) + planned(H100, small=2)


def test_a_plan_becomes_a_fleet_and_another_plan_another_fleet(world: World) -> None:
    world.converge(plan_a())
    assert world.running() == (3, 3)
    world.converge(plan_b())
    assert world.running() == (2, 3)
    world.converge(())
    assert world.running() == (0, 0)
    assert committed_usd_per_hour(world.store) == 0


@pytest.mark.parametrize("after", [False, True], ids=["just before the call", "just after the call"])
@pytest.mark.parametrize("die_at", range(1, 13))
def test_dying_at_any_launcher_call_leaks_and_doubles_nothing(world: World, die_at: int, after: bool) -> None:
    mortal = DyingLauncher(
        MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory"), die_at=die_at, after=after
    )
    died = False
    for wanted in (plan_a(), plan_b(), ()):
        for _ in range(14):
            try:
                world.one_pass(wanted, mortal)
            except Crash:
                died = True
                break
            world.clock.advance(20)
        if died:
            break
    assert died
    world.converge(plan_b())
    assert world.running() == (2, 3)
    world.converge(())
    assert world.running() == (0, 0)


def test_a_launch_over_the_cap_is_refused_by_the_guard_even_if_something_asks_for_it(world: World) -> None:
    world.limits = limits("5", "0")
    fleet = load_fleet(world.store, START)
    (launch,) = order(
        diff(planned(H100, large=1), fleet, "memory"), fleet, limits(), START, standing()
    ).actions
    launcher = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")
    executor = Executor(store=world.store, launcher=launcher, clock=world.clock)
    outcome = executor.perform(launch, context(world.limits))
    (node,) = load_fleet(world.store, START).nodes
    assert (outcome.ok, node.status, node.reason) == (False, NodeStatus.FAILED, Reason.BUDGET)
    assert "would commit $6.00/h, the cap is $5.00/h" in outcome.detail
    assert world.running() == (0, 0)


def test_a_model_is_never_launched_where_the_config_forbids_it(world: World) -> None:
    home = ModelRules(name="small", clouds=("gcp",), regions=(), min_replicas=0)
    fleet = load_fleet(world.store, START)
    (launch,) = order(diff(planned(L4, small=1), fleet, "memory"), fleet, limits(), START, standing()).actions
    launcher = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")
    executor = Executor(store=world.store, launcher=launcher, clock=world.clock)
    bound = replace(context(limits()), rules=(home,))
    outcome = executor.perform(launch, bound)
    assert not outcome.ok
    assert "small may not run in aws/us-east-1" in outcome.detail
    assert world.running() == (0, 0)


def test_a_stock_out_ends_the_intent_costs_nothing_and_is_not_asked_again_at_once(world: World) -> None:
    world.cloud.stock_out("*")
    launcher = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")
    wanted = planned(L4, small=1)
    assert [world.one_pass(wanted, launcher) for _ in range(4)] == [1, 0, 0, 0]
    reasons = {node.reason for node in load_fleet(world.store, START).nodes}
    assert reasons == {Reason.NO_CAPACITY}
    world.cloud.restock("*")
    world.clock.advance(60)
    world.converge(wanted)
    assert world.running() == (1, 1)


def test_a_launch_decided_on_before_its_offer_was_refused_waits_after_all(world: World) -> None:
    world.cloud.stock_out("*")
    fleet = load_fleet(world.store, START)
    both = order(diff(planned(L4, 2, small=1), fleet, "memory"), fleet, limits(), START, standing()).actions
    launcher = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")
    executor = Executor(store=world.store, launcher=launcher, clock=world.clock)
    first, second = (executor.perform(action, context(limits())) for action in both)
    assert (first.retry_at, second.detail) == (None, f"{L4.id} was refused a moment ago")
    assert second.retry_at is not None
    assert [call[0] for call in world.cloud.calls].count("launch") == 1
    statuses = {node.name: node.status for node in load_fleet(world.store, START).nodes}
    assert statuses == {first.subject: NodeStatus.FAILED, second.subject: NodeStatus.PLANNED}


class NoLicence(MemoryLauncher):
    """Starts no engine."""

    def start_replica(self, order: ReplicaOrder) -> None:
        raise Misconfigured("models[].weights", "are gated and there is no token")


def test_engines_that_a_launcher_refuses_to_start_say_nothing_about_their_layout(world: World) -> None:
    launcher = NoLicence(world.cloud, "t", deadman_s=1e9, name="memory")
    for _ in range(20):
        world.one_pass(planned(L4, small=1), launcher)
        world.clock.advance(20)
    fleet = load_fleet(world.store, world.clock.now())
    failed = [replica for replica in fleet.replicas if replica.status is ReplicaStatus.FAILED]
    assert len(failed) > ENOUGH
    assert {replica.reason for replica in failed} == {Reason.ERROR}
    assert failed_starts(fleet, {"small": "llama-3.1-8b"}) == {}


def test_a_node_that_vanishes_is_replaced_and_its_money_stops(world: World) -> None:
    world.converge(planned(L4, small=1))
    (node,) = (n for n in load_fleet(world.store, world.clock.now()).nodes if n.live)
    world.cloud.lose_node(node.name)
    world.converge(planned(L4, small=1))
    assert world.running() == (1, 1)
    assert committed_usd_per_hour(world.store) == L4.usd_per_hour


def test_a_dead_engine_is_started_again_on_its_node(world: World) -> None:
    world.converge(planned(L4, small=1))
    (replica,) = (r for r in load_fleet(world.store, world.clock.now()).replicas if r.live)
    world.cloud.kill_engine(replica.name)
    world.converge(planned(L4, small=1))
    alive = [r for r in load_fleet(world.store, world.clock.now()).replicas if r.live]
    assert [r.name for r in alive] == [f"{replica.name}x2"]


@pytest.mark.parametrize("meanwhile", [True, False])
def test_an_engine_whose_node_was_lost_while_it_started_is_no_bug_but_a_wrong_order_is(
    world: World, caplog: pytest.LogCaptureFixture, meanwhile: bool
) -> None:
    world.converge(planned(L4, small=1))
    fleet = load_fleet(world.store, world.clock.now())
    old = next(replica for replica in fleet.replicas if replica.live)
    intent = replace(old, name=f"{old.node}-r1x9", incarnation=9, status=ReplicaStatus.PLANNED)
    inner = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")

    class Losing(DyingLauncher):
        def start_replica(self, order: ReplicaOrder) -> None:
            move_replica(world.store, order.name, ReplicaStatus.FAILED, Reason.NODE_ENDED, world.clock.now())

    if not meanwhile:
        add_replica(world.store, replace(intent, status=ReplicaStatus.FAILED))
        intent = replace(intent, status=ReplicaStatus.FAILED)
    executor = Executor(store=world.store, launcher=Losing(inner), clock=world.clock)
    outcome = executor.perform(StartReplica(replica=intent), context(limits()))
    assert (outcome.ok, "failed to starting" in outcome.detail) == (False, True)
    assert bool(caplog.records) is not meanwhile


def test_dying_in_an_action_leaves_its_intent_in_the_journal(world: World) -> None:
    mortal = DyingLauncher(
        MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory"), die_at=1, after=True
    )
    with pytest.raises(Crash):
        world.one_pass(planned(L4, small=1), mortal)
    (row,) = list_actions(world.store, 10)
    assert (row.kind, row.state, row.finished_at) == ("LaunchNode", ActionState.INTENT, None)
    assert close_interrupted(world.store, world.clock.now()) == 1
    assert close_interrupted(world.store, world.clock.now()) == 0


@pytest.mark.parametrize("kind", [LaunchNode, StopNode])
def test_an_overtaken_daemon_calls_no_launcher(world: World, kind: type[Action]) -> None:
    wanted = planned(L4, small=1)
    if kind is StopNode:
        world.converge(wanted)
        world.store = world.store.fenced(DAEMON_LEASE, take_lease(world.store, DAEMON_LEASE, "a", START, 9))
        (node,) = load_fleet(world.store, world.clock.now()).nodes
        action: Action = StopNode(node=node)
    else:
        world.store = world.store.fenced(DAEMON_LEASE, take_lease(world.store, DAEMON_LEASE, "a", START, 9))
        fleet = load_fleet(world.store, START)
        (action,) = order(diff(wanted, fleet, "memory"), fleet, limits(), START, standing()).actions
    take_lease(world.store, DAEMON_LEASE, "b", START + timedelta(hours=1), 9)
    before = list(world.cloud.calls)
    launcher = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")
    executor = Executor(store=world.store, launcher=launcher, clock=world.clock)
    with pytest.raises(AlreadyRunning):
        executor.perform(action, context(limits()))
    assert world.cloud.calls == before


def test_two_launches_do_not_share_the_room_for_one(world: World) -> None:
    tight = limits("0.80", "0")
    fleet = load_fleet(world.store, START)
    generous = order(
        diff(planned(L4, 2, small=1), fleet, "memory"), fleet, limits(), START, standing()
    ).actions
    launcher = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")
    executor = Executor(store=world.store, launcher=launcher, clock=world.clock)
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(lambda action: executor.perform(action, context(tight)), generous))
    assert sorted(outcome.ok for outcome in outcomes) == [False, True]
    assert committed_usd_per_hour(world.store) == L4.usd_per_hour


def test_a_list_that_would_stop_everything_loses_its_drains_and_keeps_the_rest(world: World) -> None:
    world.converge(planned(L4, 5, small=1))
    fleet = load_fleet(world.store, world.clock.now())
    drains: tuple[Action, ...] = tuple(DrainReplica(replica=replica) for replica in fleet.replicas)
    launcher = MemoryLauncher(world.cloud, "t", deadman_s=1e9, name="memory")
    executor = Executor(store=world.store, launcher=launcher, clock=world.clock)
    strict = context(limits(max_stop_pct=50.0))
    assert asyncio.run(executor.carry_out(drains, strict, wait_s=5)) == ()
    outcomes = asyncio.run(executor.carry_out(drains, replace(strict, agreed=True), wait_s=5))
    assert [outcome.ok for outcome in outcomes] == [True] * 5
