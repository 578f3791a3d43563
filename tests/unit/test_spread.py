"""What is left of each model when a spot pool or a zone goes."""

from dataclasses import replace

import pytest

from bouted.market.offers import Market, Offer
from bouted.planner.design import Design
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.planner.spread import POOL, ZONE, broken_losses, losses_of, spread_broken
from bouted.planner.terms import SpotRules
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules
from bouted.testing.fleet import an_offer, planned

SMALL = a_shape("small")
A100 = an_offer("aws", gpu="A100-80GB")
HERE, BESIDE, AWAY = an_offer("aws"), replace(A100, gpu="L4"), an_offer("gcp")
STEADY = replace(HERE, market=Market.ON_DEMAND)


def problem(*, pool: float = 1.0, zone: float = 1.0) -> PlanningProblem:
    found = a_problem(
        (HERE, BESIDE, AWAY, STEADY), a_table({SMALL: 5.0}), (rules("small"),), workload=a_workload(10.0)
    )
    return replace(found, spot=SpotRules(max_share=1.0, pool_max_share=pool, zone_max_share=zone))


def design(*counts: tuple[Offer, int]) -> Design:
    nodes: tuple[PlannedNode, ...] = ()
    for offer, count in counts:
        nodes += planned(offer, count, small=1)
    return Design(nodes=nodes, shares=(ModelShare(model="small", share=1.0),))


@pytest.mark.parametrize(
    ("counts", "pool", "zone", "broken"),
    [
        (((HERE, 2),), 1.0, 1.0, ()),
        (((HERE, 2),), 0.5, 1.0, (POOL,)),
        (((HERE, 2),), 0.5, 0.5, (POOL, ZONE)),
        (((HERE, 1), (BESIDE, 1)), 0.5, 1.0, ()),  # two pools of one zone
        (((HERE, 1), (BESIDE, 1)), 0.5, 0.5, (ZONE,)),
        (((HERE, 1), (AWAY, 1)), 0.5, 0.5, ()),
        (((HERE, 1), (AWAY, 1)), 0.4, 1.0, (POOL,)),  # half is left, six tenths must be
        (((HERE, 2), (AWAY, 1)), 0.4, 1.0, (POOL,)),
        (((HERE, 2), (AWAY, 2)), 0.0, 0.0, ()),  # all of the load either way
        (((STEADY, 2),), 0.0, 0.0, ()),  # nobody takes these
        (((HERE, 9), (STEADY, 1)), 0.5, 0.5, ()),
    ],
)
def test_a_design_names_the_rules_of_spread_that_it_breaks(
    counts: tuple[tuple[Offer, int], ...], pool: float, zone: float, broken: tuple[str, ...]
) -> None:
    assert spread_broken(problem(pool=pool, zone=zone), design(*counts), lambda shape: 5.0) == broken


def test_a_loss_is_named_by_what_goes() -> None:
    case = problem(pool=0.5, zone=0.5)
    nodes = design((HERE, 2), (AWAY, 1)).nodes
    broken = broken_losses(case, nodes, {"small": 10.0}, lambda shape: 4.0)
    assert [(loss.rule, loss.place) for loss in broken] == [
        (POOL, (HERE.id,)),
        (ZONE, ("aws", "us-east-1")),
    ]
    assert [node.offer for node in nodes if broken[1].takes(node.offer)] == [HERE, HERE]


def test_without_rules_nothing_is_watched() -> None:
    assert losses_of(problem(), (HERE, AWAY)) == ()


def test_zones_of_one_region_are_lost_one_by_one() -> None:
    one, two = replace(HERE, zone="a"), replace(HERE, zone="b")
    case = problem(zone=0.5)
    assert spread_broken(case, design((one, 1), (two, 1)), lambda shape: 5.0) == ()
    assert spread_broken(case, design((one, 2)), lambda shape: 5.0) == (ZONE,)
