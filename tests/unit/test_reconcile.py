"""diff and order, on fleets in memory: they reach the plan, stay reached, and every prefix is safe."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.offers import Market, Offer
from bouted.planner.planned import PlannedNode
from bouted.reconcile.actions import DrainReplica, LaunchNode, StopNode
from bouted.reconcile.diff import diff
from bouted.reconcile.standing import HeldBy
from bouted.reconcile.states import NodeStatus, Reason
from bouted.testing.fleet import FleetWorld, a_template, an_offer, limits, planned

L4 = an_offer("aws", gpu="L4", usd_per_hour="0.80")
L4_GCP = an_offer("gcp", gpu="L4", usd_per_hour="0.70")
A100 = an_offer("aws", gpu="A100-80GB", gpu_count=4, usd_per_hour="8.00")
H100 = an_offer("lambda", gpu="H100-80GB", gpu_count=2, usd_per_hour="6.00")
OWNED = an_offer("owned", gpu="L40S", gpu_count=4, usd_per_hour="0", market=Market.OWNED, obtainable=1)


def plans() -> st.SearchStrategy[tuple[PlannedNode, ...]]:
    """Small plans over a few offers, cut for one or two models."""
    kinds = st.sampled_from(
        [(L4, {"small": 1}), (L4_GCP, {"small": 1}), (A100, {"large": 1}), (A100, {"large": 1, "small": 3}),
         (H100, {"large": 1}), (H100, {"small": 2}), (OWNED, {"small": 4}), (OWNED, {"large": 1})]
    )  # fmt: skip
    return st.lists(
        st.tuples(kinds, st.integers(1, 3)), min_size=1, max_size=4, unique_by=lambda item: str(item[0])
    ).map(_plan)


def _plan(items: list[tuple[tuple[Offer, dict[str, int]], int]]) -> tuple[PlannedNode, ...]:
    nodes: list[PlannedNode] = []
    owned_used = False
    for (offer, cut), count in items:
        if offer is OWNED and owned_used:
            continue
        owned_used = owned_used or offer is OWNED
        nodes += planned(offer, 1 if offer is OWNED else count, **cut)
    return tuple(nodes)


def shape_of(world: FleetWorld) -> Counter[tuple[str, str]]:
    return Counter(
        (node.offer.id, node.template.id) for node in world.nodes.values() if node.status is NodeStatus.UP
    )


def shape_of_plan(wanted: tuple[PlannedNode, ...]) -> Counter[tuple[str, str]]:
    return Counter((node.offer.id, node.template.id) for node in wanted)


@given(first=plans(), second=plans())
@settings(max_examples=60, deadline=None)
def test_any_plan_is_reached_from_any_other_and_then_nothing_more_is_done(
    first: tuple[PlannedNode, ...], second: tuple[PlannedNode, ...]
) -> None:
    world = FleetWorld(limits("1000", "1000"))
    for wanted in (first, second):
        world.converge(wanted)
        assert shape_of(world) == shape_of_plan(wanted)
        assert world.decide(wanted) == ()
        assert diff(wanted, world.fleet(), "memory").empty


@given(first=plans(), second=plans(), stop_after=st.integers(0, 12), lose_one=st.booleans())
@settings(max_examples=80, deadline=None)
def test_dying_after_any_action_leaves_a_fleet_that_still_converges(
    first: tuple[PlannedNode, ...], second: tuple[PlannedNode, ...], stop_after: int, lose_one: bool
) -> None:
    world = FleetWorld(limits("1000", "1000"))
    world.converge(first)
    for action in world.decide(second)[:stop_after]:
        world.do(action)
    up = [node.name for node in world.nodes.values() if node.status is NodeStatus.UP]
    if lose_one and up:
        world.lose(up[0])
    world.converge(second)
    assert shape_of(world) == shape_of_plan(second)


@given(first=plans(), second=plans())
@settings(max_examples=60, deadline=None)
def test_a_model_that_serves_and_is_still_wanted_never_stops_serving_while_there_is_room(
    first: tuple[PlannedNode, ...], second: tuple[PlannedNode, ...]
) -> None:
    world = FleetWorld(limits("1000", "1000"))
    world.converge(first)
    both = {s.model for n in first for s in n.template.replicas} & {
        s.model for n in second for s in n.template.replicas
    }
    moves_owned = any(node.offer is OWNED for node in (*first, *second))
    for _ in range(30):
        for action in world.decide(second):
            world.do(action)
            if not moves_owned:
                assert all(world.ready(model) >= 1 for model in both)
        world.settle()


@given(first=plans(), second=plans(), cap=st.integers(10, 60))
@settings(max_examples=60, deadline=None)
def test_no_action_takes_committed_dollars_over_cap_and_surge(
    first: tuple[PlannedNode, ...], second: tuple[PlannedNode, ...], cap: int
) -> None:
    world = FleetWorld(limits(str(cap), "5"))
    for wanted in (first, second):
        for _ in range(20):
            for action in world.decide(wanted):
                world.do(action)
            world.settle()
    assert world.peak_usd_per_hour <= Decimal(cap + 5)


@given(wanted=plans())
@settings(max_examples=30, deadline=None)
def test_the_same_input_gives_the_same_actions(wanted: tuple[PlannedNode, ...]) -> None:
    a, b = FleetWorld(limits()), FleetWorld(limits())
    assert a.decide(wanted) == b.decide(wanted)


def test_equal_nodes_are_kept_whatever_their_ordinals() -> None:
    world = FleetWorld(limits())
    world.converge(planned(L4, 3, small=1))
    survivors = planned(L4, 3, small=1)[1:]
    world.converge(survivors)
    assert shape_of(world) == Counter({(L4.id, survivors[0].template.id): 2})
    assert sum(node.incarnation for node in world.nodes.values()) == 3


def test_the_old_node_stays_in_the_table_until_the_new_one_is_ready() -> None:
    world = FleetWorld(limits())
    world.converge(planned(A100, large=1))
    actions = world.decide(planned(H100, large=1))
    assert [type(action) for action in actions] == [LaunchNode]
    for action in actions:
        world.do(action)
    assert not any(isinstance(action, DrainReplica) for action in world.decide(planned(H100, large=1)))
    world.converge(planned(H100, large=1))
    assert world.ready("large") == 1


def test_when_the_cap_leaves_no_room_for_both_the_old_makes_way_only_if_others_serve() -> None:
    tight = FleetWorld(limits("12", "0"))
    tight.converge(planned(H100, 2, large=1))
    actions = tight.decide(planned(A100, large=1))
    assert [type(action) for action in actions] == [DrainReplica]
    for action in actions:
        tight.do(action)
    assert tight.ready("large") == 1


def test_a_lost_node_is_replaced_under_the_next_incarnation() -> None:
    world = FleetWorld(limits())
    world.converge(planned(L4, small=1))
    (name,) = world.nodes
    world.lose(name)
    world.converge(planned(L4, small=1))
    assert sorted(node.incarnation for node in world.nodes.values()) == [1, 2]
    assert world.ready("small") == 1


def test_a_killed_replica_is_started_again_on_the_same_node() -> None:
    world = FleetWorld(limits())
    world.converge(planned(L4, small=1))
    (name,) = world.replicas
    world.kill(name)
    world.converge(planned(L4, small=1))
    assert len(world.nodes) == 1
    assert sorted(world.replicas) == [name, f"{name}x2"]


def test_an_owned_machine_is_emptied_before_it_is_cut_anew() -> None:
    world = FleetWorld(limits())
    world.converge(planned(OWNED, small=4))
    world.converge(planned(OWNED, large=1))
    assert (world.ready("small"), world.ready("large")) == (0, 1)


def test_an_empty_plan_stops_everything() -> None:
    world = FleetWorld(limits())
    world.converge(planned(L4, 2, small=1) + planned(A100, large=1))
    world.converge(())
    assert {node.status for node in world.nodes.values()} == {NodeStatus.GONE}


def test_a_node_never_stops_while_a_replica_on_it_lives() -> None:
    world = FleetWorld(limits())
    world.converge(planned(A100, large=1, small=3))
    for _ in range(10):
        for action in world.decide(()):
            if isinstance(action, StopNode):
                assert not any(r.live and r.node == action.node.name for r in world.replicas.values())
            world.do(action)
        world.settle()


@pytest.mark.parametrize("reason", [Reason.NO_CAPACITY, Reason.QUOTA])
def test_a_refused_launch_leaves_a_failed_row_and_the_next_try_has_a_new_name(reason: Reason) -> None:
    world = FleetWorld(limits())
    (launch,) = world.decide(planned(L4, small=1))
    assert isinstance(launch, LaunchNode)
    world.do(launch)
    world.lose(launch.node.name)
    (again,) = world.decide(planned(L4, small=1))
    assert isinstance(again, LaunchNode)
    assert again.node.name != launch.node.name


def test_an_engine_that_keeps_dying_is_tried_again_later_and_later() -> None:
    world = FleetWorld(limits())
    world.converge(planned(L4, small=1))
    world.kill(next(iter(world.replicas)))
    world.converge(planned(L4, small=1))
    world.kill(max(world.replicas))
    assert world.decide(planned(L4, small=1)) == ()
    world.settle()
    assert len(world.decide(planned(L4, small=1))) == 1


def test_an_offer_that_was_refused_twice_is_not_asked_again_at_once() -> None:
    world = FleetWorld(limits())
    wanted = planned(L4, small=1)
    for _ in range(2):
        (launch,) = world.decide(wanted)
        assert isinstance(launch, LaunchNode)
        world.do(launch)
        world.lose(launch.node.name)
    assert world.decide(wanted) == ()
    (waits,) = world.decision(wanted).held
    assert waits.by is HeldBy.BACK_OFF
    assert waits.message == f"launches of {L4.id} failed lately, the next one waits up to 5 min"


def test_every_instance_of_a_group_counts_for_caps_and_stock() -> None:
    over = a_template("A100-80GB", 4, large=1)
    group = replace(over, instances=2)
    scarce = replace(A100, obtainable=3)
    wanted = tuple(PlannedNode(offer=scarce, template=group, ordinal=n) for n in range(2))
    world = FleetWorld(limits())
    world.converge(wanted[:1])
    assert world.fleet().committed_usd_per_hour() == 16
    assert not any(isinstance(action, LaunchNode) for action in world.decide(wanted))
    poor = FleetWorld(limits("10", "5"))
    assert not any(isinstance(action, LaunchNode) for action in poor.decide(wanted[:1]))
    assert any(isinstance(a, LaunchNode) for a in FleetWorld(limits("10", "6")).decide(wanted[:1]))
