"""What gateways are told: who serves, whose thresholds hold, and who inherits a missing model's queries."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bouted.planner.design import Design
from bouted.planner.plan import Plan, PlannedShape
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.quality.route_split import Judged, RouteRule, RouteSplit
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.routes import routes, serving, split_in_force, weights
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.open import Store
from bouted.testing.fleet import FleetWorld, an_offer, limits, planned
from bouted.testing.orders import EASY_COSTS
from bouted.testing.store import a_plan, fresh_store

ABC = RouteSplit(
    models=("a", "b", "c"), shares=(0.5, 0.3, 0.2), rules=(RouteRule(thresholds=(0.5, 0.8)),), scorer_hash="s"
)

HEIRS = [
    ((), ("a", "b", "c"), (0.5, 0.3, 0.2), "aabbcc"),
    (("a",), ("b", "c"), (0.8, 0.2), "bbbbcc"),
    (("b",), ("a", "c"), (0.5, 0.5), "aacccc"),
    (("c",), ("a", "b"), (0.5, 0.5), "aabbbb"),
    (("a", "b"), ("c",), (1.0,), "cccccc"),
    (("b", "c"), ("a",), (1.0,), "aaaaaa"),
]


@pytest.mark.parametrize(("absent", "served", "shares", "chosen"), HEIRS, ids=["".join(h[0]) for h in HEIRS])
def test_an_absent_models_queries_go_to_the_next_abler_one(
    absent: tuple[str, ...], served: tuple[str, ...], shares: tuple[float, ...], chosen: str
) -> None:
    left = replace(ABC, absent=absent)
    assert left.served == served
    assert left.served_shares == pytest.approx(shares)
    scores = (0.0, 0.49, 0.5, 0.79, 0.8, 0.99)
    assert "".join(left.model_for(Judged(score=score)) for score in scores) == chosen


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def world_and_plan(store: Store) -> tuple[FleetWorld, tuple[PlannedNode, ...], Plan]:
    wanted = planned(an_offer(), 2, small=1) + planned(an_offer(gpu="H100-80GB"), large=1)
    split = RouteSplit(
        models=("small", "large"), shares=(0.7, 0.3), rules=(RouteRule(thresholds=(0.7,)),), scorer_hash="s"
    )
    shapes = tuple(
        PlannedShape(shape=shape, costs=EASY_COSTS, rate_per_s=4.0)
        for shape in {s.id: s for n in wanted for s in n.template.replicas}.values()
    )
    shares = (ModelShare(model="small", share=0.7), ModelShare(model="large", share=0.3))
    plan = replace(
        a_plan(store, "p1"), design=Design(nodes=wanted, shares=shares), split=split, shapes=shapes
    )
    return FleetWorld(limits()), wanted, plan


def test_the_old_thresholds_hold_until_the_new_replicas_are_ready(store: Store) -> None:
    world, wanted, plan = world_and_plan(store)
    old = RouteSplit(
        models=("small", "large"), shares=(0.2, 0.8), rules=(RouteRule(thresholds=(0.2,)),), scorer_hash="s"
    )
    world.converge(wanted[:1] + wanted[2:])
    assert split_in_force(plan, old, world.fleet()) == old
    world.converge(wanted)
    assert split_in_force(plan, old, world.fleet()) == plan.split


def test_a_model_without_a_replica_is_absent_until_it_has_one(store: Store) -> None:
    world, wanted, plan = world_and_plan(store)
    assert split_in_force(plan, None, world.fleet()) == plan.split, "with none ready, nothing is left out"
    world.converge(wanted[:2])
    partly = split_in_force(plan, None, world.fleet())
    assert (partly.absent, partly.served_shares) == (("large",), (1.0,))
    world.converge(wanted)
    assert split_in_force(plan, partly, world.fleet()) == plan.split


def test_only_ready_replicas_on_nodes_that_are_up_are_routed_to(store: Store) -> None:
    world, wanted, _ = world_and_plan(store)
    world.converge(wanted)
    fleet = world.fleet()
    reachable = replace(
        fleet, replicas=tuple(replace(r, endpoint=f"http://{r.name}") for r in fleet.replicas)
    )
    assert len(serving(reachable)) == 3
    assert serving(fleet) == (), "a replica without an address cannot be routed to"
    draining = replace(reachable.replicas[0], status=ReplicaStatus.DRAINING)
    assert len(serving(replace(reachable, replicas=(draining, *reachable.replicas[1:])))) == 2
    down = tuple(replace(n, status=NodeStatus.STOPPING) for n in reachable.nodes)
    assert serving(FleetState(nodes=down, replicas=reachable.replicas, incarnations=())) == ()


def test_weights_are_what_the_plan_says_and_what_leaves_keeps_those_of_its_own(store: Store) -> None:
    world, wanted, plan = world_and_plan(store)
    world.converge(wanted + planned(an_offer(gpu="A10G"), small=1) + planned(an_offer(gpu="T4"), small=1))
    replicas = world.fleet().replicas
    old = planned(an_offer(gpu="A10G"), small=1)[0].template.replicas[0]
    earlier = replace(plan, shapes=(PlannedShape(shape=old, costs=EASY_COSTS, rate_per_s=1.5),))
    plan = replace(plan, shapes=(*plan.shapes[:1], replace(plan.shapes[1], rate_per_s=0.5)))
    carried = weights(plan, (earlier,), replicas)
    assert carried[old.id] == 1.5
    assert {item.shape.id: carried[item.shape.id] for item in plan.shapes} == {
        item.shape.id: item.rate_per_s for item in plan.shapes
    }
    (unknown,) = (r.shape.id for r in replicas if r.shape.gpu == "T4")
    assert carried[unknown] == 0.5, "what no plan knows carries the least"
    table = routes(replicas, carried, {replicas[0].name: 0.05})
    assert [route.share for route in table] == [0.05, None, None, None, None]
    assert [route.weight for route in table] == [carried[r.shape.id] for r in replicas]
