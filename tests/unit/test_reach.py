"""Where a problem has no answer: which constraint, and the nearest figures that could be had."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bouted.planner.explain import explain_infeasible
from bouted.planner.problem import PlanningProblem
from bouted.planner.reach import reach, told
from bouted.planner.resolve import resolve
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer

# Four queries/s a node at most; alone and idle it takes 1 s end to end.
CASE = a_problem(
    (an_offer("aws", usd_per_hour="1.00", obtainable=6),),
    a_table({a_shape("small"): 4.0}),
    (rules("small"),),
    workload=a_workload(11.0),
    wanted=targets(e2e=1.3, quality=0.5),
    sweep=32,
)


def with_budget(usd: str) -> PlanningProblem:
    return replace(CASE, budget=replace(CASE.budget, usd_per_hour=Decimal(usd)))


def test_too_small_a_budget_is_told_with_what_would_do_and_what_it_affords() -> None:
    """Three nodes carry the load slowly, four or more within 1.3 s."""
    poor = with_budget("3.00")
    found = reach(poor, None)
    enough = resolve(CASE).designs[0].design.usd_per_hour
    assert found.usd_per_hour == enough
    assert found.usd_per_hour > 3
    assert found.p95_s is not None
    assert 1.3 < found.p95_s < 2.5
    assert found.floor is None
    error = explain_infeasible(poor, resolve(poor))
    assert f"the cheapest fleet that meets the targets costs ${enough}" in error.message
    assert f"nearest: ${enough}/h meets all; within $3.00/h the fastest is p95 e2e" in error.hint


def test_what_is_named_as_nearest_is_feasible() -> None:
    found = reach(with_budget("3.00"), None)
    assert found.usd_per_hour is not None
    assert resolve(with_budget(str(found.usd_per_hour))).designs
    assert found.p95_s is not None
    slower = replace(with_budget("3.00"), targets=targets(e2e=found.p95_s * 1.001, quality=0.5))
    assert resolve(slower).designs


def test_too_short_a_target_is_told_with_the_fastest_that_the_budget_affords() -> None:
    hasty = replace(CASE, targets=targets(e2e=0.5, quality=0.5))
    error = explain_infeasible(hasty, resolve(hasty))
    assert "no fleet reaches e2e p95 of 0.5 s" in error.message
    assert "within $1000/h the fastest is p95 e2e 1" in error.hint


def test_the_highest_floor_within_reach_is_told() -> None:
    both = a_problem(
        (an_offer("aws", usd_per_hour="1.00"), an_offer("gcp", gpu="A100", usd_per_hour="6.00")),
        a_table({a_shape("small"): 4.0, a_shape("large", "A100"): 4.0}),
        (rules("small"), rules("large")),
        workload=a_workload(7.0),
        wanted=targets(e2e=3.0, quality=0.85),
        budget="6.50",
    )
    found = reach(both, None)
    assert found.floor is not None
    assert 0.5 < found.floor < 0.85
    met = replace(both, targets=replace(both.targets, quality_min=found.floor - 0.002))
    assert resolve(met).designs
    assert f"the floor that can be met is {int(found.floor * 1000) / 1000}" in told(found, both)


@pytest.mark.parametrize("rate", [5000.0])
def test_where_nothing_helps_nothing_is_promised(rate: float) -> None:
    hopeless = replace(CASE, workload=a_workload(rate))
    found = reach(hopeless, None)
    assert told(found, hopeless) == ""
    assert "cannot carry 5e+03 queries/s" in explain_infeasible(hopeless, resolve(hopeless)).message
