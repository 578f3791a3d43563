"""What gateways are told: who serves, whose thresholds hold, and who inherits a missing model's queries."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bouted.planner.design import Design
from bouted.planner.plan import Plan, PlannedShape, RouteSplit
from bouted.planner.problem import ModelShare, PlannedNode
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.routes import routes, split_in_force, without_models
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.open import Store
from bouted.testing.fleet import FleetWorld, an_offer, limits, planned
from bouted.testing.orders import EASY_COSTS
from bouted.testing.store import a_plan, fresh_store

ABC = RouteSplit(models=("a", "b", "c"), shares=(0.5, 0.3, 0.2), thresholds=(0.5, 0.8), scorer_hash="s")

HEIRS = [
    ({"a"}, ("b", "c"), (0.8, 0.2), (0.8,)),
    ({"b"}, ("a", "c"), (0.5, 0.5), (0.5,)),
    ({"c"}, ("a", "b"), (0.5, 0.5), (0.5,)),
    ({"a", "b"}, ("c",), (1.0,), ()),
    ({"b", "c"}, ("a",), (1.0,), ()),
]


@pytest.mark.parametrize(
    ("missing", "models", "shares", "thresholds"), HEIRS, ids=["".join(sorted(row[0])) for row in HEIRS]
)
def test_a_missing_models_queries_go_to_the_next_abler_one(
    missing: set[str], models: tuple[str, ...], shares: tuple[float, ...], thresholds: tuple[float, ...]
) -> None:
    left = without_models(ABC, frozenset(missing))
    assert (left.models, left.thresholds) == (models, thresholds)
    assert left.shares == pytest.approx(shares)
    for score in (0.0, 0.49, 0.5, 0.79, 0.8, 0.99):
        wanted = ABC.model_for(score)
        if wanted in left.models:
            assert left.model_for(score) == wanted


def test_with_every_model_missing_the_split_is_left_as_it_is() -> None:
    assert without_models(ABC, frozenset("abc")) == ABC


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def world_and_plan(store: Store) -> tuple[FleetWorld, tuple[PlannedNode, ...], Plan]:
    wanted = planned(an_offer(), 2, small=1) + planned(an_offer(gpu="H100-80GB"), large=1)
    split = RouteSplit(models=("small", "large"), shares=(0.7, 0.3), thresholds=(0.7,), scorer_hash="s")
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
    old = RouteSplit(models=("small", "large"), shares=(0.2, 0.8), thresholds=(0.2,), scorer_hash="s")
    world.converge(wanted[:1] + wanted[2:])
    assert split_in_force(plan, old, world.fleet()) == old
    world.converge(wanted)
    assert split_in_force(plan, old, world.fleet()) == plan.split


def test_only_ready_replicas_on_nodes_that_are_up_are_routed_to(store: Store) -> None:
    world, wanted, plan = world_and_plan(store)
    world.converge(wanted)
    fleet = world.fleet()
    reachable = replace(
        fleet, replicas=tuple(replace(r, endpoint=f"http://{r.name}") for r in fleet.replicas)
    )
    assert len(routes(plan, reachable)) == 3
    assert routes(plan, fleet) == (), "a replica without an address cannot be routed to"
    draining = replace(reachable.replicas[0], status=ReplicaStatus.DRAINING)
    assert len(routes(plan, replace(reachable, replicas=(draining, *reachable.replicas[1:])))) == 2
    down = tuple(replace(n, status=NodeStatus.STOPPING) for n in reachable.nodes)
    assert routes(plan, FleetState(nodes=down, replicas=reachable.replicas, incarnations=())) == ()
