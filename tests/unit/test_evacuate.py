"""A node that its provider takes back: its replacement starts at once, and its queries move in time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.planner.planned import PlannedNode
from bouted.reconcile.actions import Action, DrainReplica, LaunchNode, StartReplica, StopNode
from bouted.reconcile.diff import diff
from bouted.reconcile.disruption import Disruption, Freeze
from bouted.reconcile.evacuate import LEAD_S
from bouted.reconcile.fleet import Node
from bouted.reconcile.guards import refuse_launch
from bouted.reconcile.leaving import OVERDUE_S, ahead_usd_per_hour, told_leaving
from bouted.reconcile.standing import HeldBy
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.testing.fleet import START, FleetWorld, an_offer, limits, must_serve, planned
from bouted.testing.store import a_node

L4 = an_offer("aws", gpu="L4", usd_per_hour="1.00", obtainable=40)
ONE, THREE = planned(L4, small=1), planned(L4, 3, small=1)
FROZEN = Disruption(
    freezes=(Freeze(start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2040, 1, 1, tzinfo=UTC)),)
)


def running(wanted: tuple[PlannedNode, ...], **around: object) -> FleetWorld:
    world = FleetWorld(limits(**around))  # type: ignore[arg-type]
    world.converge(wanted)
    return world


def kinds(actions: tuple[Action, ...]) -> list[str]:
    return sorted(type(action).__name__ for action in actions)


def do(world: FleetWorld, wanted: tuple[PlannedNode, ...]) -> tuple[Action, ...]:
    actions = world.decide(wanted)
    for action in actions:
        world.do(action)
    return actions


def wait(world: FleetWorld, seconds: float) -> None:
    """Time passes and nothing comes up."""
    world.now += timedelta(seconds=seconds)


def first(world: FleetWorld) -> Node:
    return world.nodes[min(world.nodes)]


# the replacement


def test_the_replacement_is_launched_at_once_and_what_serves_goes_on_serving() -> None:
    world = running(ONE)
    world.notice(first(world).name)
    (launch,) = do(world, ONE)
    assert isinstance(launch, LaunchNode)
    assert launch.node.slot != first(world).slot
    assert world.ready("small") == 1
    assert world.decide(ONE) == ()


def test_a_freeze_does_not_hold_the_replacement_or_the_drain_back() -> None:
    world = running(ONE)
    world.limits = replace(world.limits, disruption=FROZEN)
    world.notice(first(world).name)
    assert kinds(do(world, ONE)) == ["LaunchNode"]
    world.settle()
    do(world, ONE)
    world.settle()
    assert kinds(world.decide(ONE)) == ["DrainReplica"]


def test_nothing_more_is_started_on_a_node_that_goes() -> None:
    world = FleetWorld(limits())
    do(world, ONE)
    world.settle()
    world.notice(first(world).name)
    assert not any(isinstance(action, StartReplica) for action in world.decide(ONE))


def test_a_node_that_goes_and_that_the_plan_does_not_want_is_not_replaced() -> None:
    world = running(THREE)
    for name in sorted(world.nodes)[:2]:
        world.notice(name)
    assert kinds(world.decide(ONE)) == ["DrainReplica"] * 2


# the split


def test_what_serves_there_leaves_once_the_replacement_serves_and_then_the_node_is_ended() -> None:
    world = running(ONE)
    gone = first(world).name
    world.notice(gone, left_s=600)
    do(world, ONE)
    world.settle()
    assert kinds(do(world, ONE)) == ["StartReplica"]
    world.settle()
    (drain,) = do(world, ONE)
    assert isinstance(drain, DrainReplica)
    assert (drain.replica.node, drain.reason) == (gone, Reason.NOTICED)
    world.converge(ONE)
    assert world.nodes[gone].status is NodeStatus.GONE
    assert (world.ready("small"), sum(node.live for node in world.nodes.values())) == (1, 1)


def test_a_replica_that_others_can_stand_in_for_leaves_as_late_as_a_drain_needs() -> None:
    world = running(THREE)
    world.notice(first(world).name, left_s=120)
    world.limits = replace(world.limits, max_launches=0)
    wait(world, 120 - world.limits.drain_s - LEAD_S - 1)
    assert world.decide(THREE) == ()
    wait(world, 1)
    (drain,) = world.decide(THREE)
    assert isinstance(drain, DrainReplica)
    assert drain.replica.node == first(world).name


def test_the_last_that_serves_is_cut_rather_than_taken_off() -> None:
    world = running(ONE)
    world.notice(first(world).name)
    world.limits = replace(world.limits, max_launches=0)
    for _ in range(30):
        wait(world, 10)
        assert world.decide(ONE) == ()
    assert world.ready("small") == 1


def test_of_nodes_that_go_at_different_times_the_one_that_stays_longer_stands_in() -> None:
    world = running(planned(L4, 2, small=1))
    early, late = sorted(world.nodes)
    world.limits = replace(world.limits, max_launches=0)
    world.notice(early, left_s=60)
    world.notice(late, left_s=200)
    wait(world, 50)
    assert [a.replica.node for a in world.decide(planned(L4, 2, small=1)) if isinstance(a, DrainReplica)] == [
        early
    ]
    world.lose(early)
    wait(world, 140)
    assert world.decide(planned(L4, 2, small=1)) == ()


def test_the_floor_does_not_hold_back_what_goes_anyway() -> None:
    world = running(planned(L4, 2, small=1))
    world.standing = replace(world.standing, rules=must_serve(small=2))
    world.limits = replace(world.limits, max_launches=0)
    world.notice(first(world).name, left_s=10)
    assert kinds(world.decide(planned(L4, 2, small=1))) == ["DrainReplica"]


def test_nothing_else_leaves_because_a_node_that_goes_still_serves() -> None:
    world = running(planned(L4, 2, small=1))
    kept = diff(ONE, world.fleet(), "memory").keep[0]
    world.notice(kept.name)
    do(world, ONE)
    assert not any(isinstance(action, DrainReplica) for action in world.decide(ONE))


def test_no_more_than_the_share_is_drained_at_once_even_of_what_goes() -> None:
    world = running(planned(L4, 8, small=1), max_stop_pct=50.0)
    for name in sorted(world.nodes)[:6]:
        world.notice(name, left_s=10)
    world.limits = replace(world.limits, max_launches=0)
    assert kinds(world.decide(planned(L4, 8, small=1))) == ["DrainReplica"] * 4


# the node


def test_a_node_that_serves_nothing_is_ended_by_us_only_once_its_time_is_over() -> None:
    world = running(ONE)
    name = first(world).name
    world.kill(min(world.replicas))
    world.notice(name, left_s=120)
    world.limits = replace(world.limits, max_launches=0)
    assert world.decide(ONE) == ()
    wait(world, 121)
    (stop,) = world.decide(ONE)
    assert isinstance(stop, StopNode)
    assert (stop.node.name, stop.reason) == (name, Reason.NOTICED)


def test_a_notice_that_does_not_come_true_ends_in_a_replaced_node_all_the_same() -> None:
    world = running(THREE)
    world.notice(first(world).name)
    wait(world, 5000)
    world.converge(THREE)
    assert (world.ready("small"), sum(node.live for node in world.nodes.values())) == (3, 3)


# dollars


def test_a_node_that_goes_counts_with_what_it_costs_until_then() -> None:
    node = replace(a_node(usd_per_hour="6.00"), status=NodeStatus.UP, leaves_at=START + timedelta(minutes=2))
    for after_s, counted in ((-3600, "6"), (0, "0.2"), (60, "0.1"), (120, "0"), (120 + OVERDUE_S, "0")):
        assert ahead_usd_per_hour(node, START + timedelta(seconds=after_s)) == Decimal(counted)
    assert ahead_usd_per_hour(node, START + timedelta(seconds=121 + OVERDUE_S)) == 6
    assert ahead_usd_per_hour(replace(node, leaves_at=None), START) == 6


def test_its_dollars_do_not_hold_its_replacement_back_and_the_cap_does() -> None:
    world = running(THREE)
    world.notice(first(world).name)
    world.limits = limits("3.04", "0")
    assert kinds(world.decide(THREE)) == ["LaunchNode"]
    world.limits = limits("3.03", "0")
    decision = world.decision(THREE)
    assert (decision.actions, [item.by for item in decision.held]) == ((), [HeldBy.CAP])
    wait(world, 30)
    assert kinds(world.decide(THREE)) == ["LaunchNode"]


def test_the_guard_before_spending_counts_alike() -> None:
    world = running(THREE)
    world.notice(first(world).name)
    asked = (a_node("n"), world.fleet(), limits("3.03", "0"), must_serve(small=1), Decimal(0))
    assert "would commit $3.03/h" in str(refuse_launch(*asked, world.now))
    assert refuse_launch(*asked, world.now + timedelta(seconds=60)) is None
    assert refuse_launch(*asked, world.now + timedelta(seconds=121 + OVERDUE_S)) is not None


def test_nothing_is_shed_for_a_node_that_goes_anyway() -> None:
    world = running(THREE)
    world.notice(first(world).name)
    do(world, THREE)
    world.limits = limits("3.00", "0")
    decision = world.decision(THREE)
    assert HeldBy.SHEDDING not in {item.by for item in decision.held}
    assert not any(isinstance(action, DrainReplica) for action in decision.actions)


# in words


@pytest.mark.parametrize(
    ("after_s", "told"),
    [
        (0, "leaves in 1 min 40 s: its provider takes it back"),
        (70, "leaves in 30 s: its provider takes it back"),
        (112, "should have left 12 s ago: its provider takes it back"),
    ],
)
def test_a_person_is_told_how_long_it_stays(after_s: int, told: str) -> None:
    node = replace(a_node(), leaves_at=START + timedelta(seconds=100))
    assert told_leaving(node, START + timedelta(seconds=after_s)) == told


def test_of_a_node_that_stays_nothing_is_told() -> None:
    assert told_leaving(a_node(), START) == ""


# whatever is noticed, whenever


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(1, 5),
    noticed=st.lists(st.tuples(st.integers(0, 4), st.sampled_from((5.0, 40.0, 120.0, 900.0))), max_size=5),
    room=st.integers(0, 3),
)
def test_a_model_that_serves_is_never_taken_off_its_last_replica(
    count: int, noticed: list[tuple[int, float]], room: int
) -> None:
    wanted = planned(L4, count, small=1)
    world = running(wanted, max_stop_pct=50.0)
    world.limits = replace(world.limits, cap_usd_per_hour=Decimal(count), surge_usd_per_hour=Decimal(room))
    names = sorted(world.nodes)
    for at, left_s in noticed:
        world.notice(names[at % count], left_s)
    for _ in range(12):
        for action in world.decide(wanted):
            world.do(action)
            assert world.ready("small") >= 1
            live = [r for r in world.replicas.values() if r.live]
            if isinstance(action, StopNode):
                assert not any(r.node == action.node.name for r in live)
        world.settle()
    if room or not noticed:
        world.converge(wanted)
        assert all(node.leaves_at is None for node in world.nodes.values() if node.live)
        ready = [r for r in world.replicas.values() if r.status is ReplicaStatus.READY]
        assert len(ready) == count
