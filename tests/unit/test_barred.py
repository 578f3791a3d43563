"""Designs that were rolled back: what counts as the same one, and for how long it is left alone."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bouted.perf.costs import StepCosts
from bouted.perf.rescale import slower
from bouted.planner.barred import Bar, same, stands, without_barred
from bouted.planner.design import Design, Estimate, Frontier, Judge, ScoredDesign
from bouted.planner.planned import ModelShare
from bouted.testing.builders import a_problem, a_shape, a_table, rules
from bouted.testing.fleet import START, an_offer, planned

SHAPE = a_shape("small")
PROBLEM = a_problem((an_offer(),), a_table({SHAPE: 5.0}), (rules("small"),))
COSTS = PROBLEM.profiles.by_shape[SHAPE.id].costs


def a_design(count: int, *, region: str = "us-east-1", small: float = 0.7) -> Design:
    return Design(
        nodes=planned(an_offer(region=region), count, small=1),
        shares=(ModelShare(model="small", share=small), ModelShare(model="large", share=1 - small)),
    )


def a_bar(costs: StepCosts = COSTS) -> Bar:
    return Bar(plan_id="p", design=a_design(2), at=START, config_hash="c", costs={SHAPE.id: costs})


@pytest.mark.parametrize(
    ("hours", "learned", "config", "barred"),
    [
        (0.5, False, "c", True),
        (0.5, True, "c", True),
        (0.5, False, "edited", False),
        (2.0, False, "c", True),
        (2.0, True, "c", False),
        (24.0, False, "c", False),
    ],
)
def test_how_long_a_design_is_left_alone(hours: float, learned: bool, config: str, barred: bool) -> None:
    bar = a_bar(slower(COSTS, tempo=0.5, added_s=0.0, spread=0.1) if learned else COSTS)
    assert stands(bar, PROBLEM, config, START + timedelta(hours=hours)) is barred


def test_the_same_cuts_are_the_same_design_wherever_they_are_rented() -> None:
    assert same(a_design(2), a_design(2, region="eu-west-1"))
    assert same(a_design(2), a_design(2, small=0.65))
    assert not same(a_design(2), a_design(3))
    assert not same(a_design(2), a_design(2, small=0.5))


def test_the_front_loses_what_is_barred_and_nothing_else() -> None:
    estimate = Estimate(
        usd_per_hour=Decimal(1), ttft_p95_s=1, tpot_p95_s=1, e2e_p95_s=1, quality=1, quality_low=1,
        bound_usd_per_hour=0, judge=Judge.PROFILES, spread=0.1,
    )  # fmt: skip
    designs = tuple(ScoredDesign(design=a_design(n), estimate=estimate, violated=()) for n in (1, 2, 3))
    front = Frontier(designs=designs, incumbent=None, nearest=None, swept=0, simulated=0, seconds=0.0, seed=1)
    assert without_barred(front, [a_bar()]).designs == (designs[0], designs[2])
    assert without_barred(front, []) is front
    other = replace(a_bar(), design=a_design(9))
    assert without_barred(front, [other]) is front
