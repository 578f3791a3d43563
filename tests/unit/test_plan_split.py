"""The split that a plan is stored with: rules for its shares, and a word where nobody measured quality."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bouted.codec import dump, parse
from bouted.planner.design import Design, Estimate, Judge
from bouted.planner.plan import Choice, Plan, Trigger
from bouted.planner.plan_from import make_plan
from bouted.planner.planned import ModelShare
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.quality.evals import QualityModel, declared_quality
from bouted.quality.route_split import Judged
from bouted.testing.builders import a_problem, a_quality, a_shape, a_table, rules, targets
from bouted.testing.fleet import an_offer

DECLARED = declared_quality({"small": 0.6, "large": 0.9})


def problem(quality: QualityModel, floor: float = 0.7) -> PlanningProblem:
    small, large = a_shape(model="small"), a_shape(model="large")
    return a_problem(
        [an_offer(usd_per_hour="1.00")],
        a_table({small: 8.0, large: 3.0}),
        [rules("small"), rules("large")],
        quality=quality,
        wanted=targets(ttft=5.0, quality=floor),
        evaluations=0,
    )


def plan_for(quality: QualityModel, *shares: float) -> Plan:
    case = problem(quality)
    parts = zip(case.models, shares, strict=True)
    design = Design(nodes=(), shares=tuple(ModelShare(model=m.name, share=part) for m, part in parts))
    estimate = Estimate(
        usd_per_hour=Decimal(0),
        ttft_p95_s=1.0,
        tpot_p95_s=0.1,
        e2e_p95_s=2.0,
        quality=0.8,
        quality_low=0.8,
        judge=Judge.PROFILES,
        spread=0.1,
        bound_usd_per_hour=0.0,
    )
    choice = Choice(chosen=design, estimate=estimate, held=False, why=("cheapest",), runner_up="")
    return make_plan(
        choice,
        case,
        trigger=Trigger.FIRST,
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        config_hash="c",
        problem_hash="p",
        seconds_to_plan=1.0,
    )


def test_a_plan_of_declared_quality_splits_by_lot_and_says_so() -> None:
    plan = plan_for(DECLARED, 0.25, 0.75)
    assert any("quality is declared, not measured (small 0.6, large 0.9)" in why for why in plan.why)
    draws = [plan.split.model_for(Judged(score=0.0), (k + 0.5) / 400) for k in range(400)]
    assert draws.count("small") == 100


def test_a_plan_of_measured_quality_cuts_at_a_score_and_says_nothing_of_it() -> None:
    plan = plan_for(a_quality(["small", "large"]), 0.3, 0.7)
    assert not any("declared" in why for why in plan.why)
    (rule,) = plan.split.rules
    assert rule.thresholds == pytest.approx((0.3,), abs=0.04)


@pytest.mark.parametrize("shares", [(0.25, 0.75), (0.8, 0.2), (0.0, 1.0)])
def test_plans_with_any_rules_survive_the_store(shares: tuple[float, ...]) -> None:
    for quality in (DECLARED, a_quality(["small", "large"])):
        plan = plan_for(quality, *shares)
        assert plan.split.fits
        assert parse(Plan, dump(Plan, plan)) == plan


def test_the_search_plans_with_declared_quality_and_meets_the_floor_exactly() -> None:
    found = propose(problem(DECLARED, 0.75), lambda progress: None, lambda: 0.0).designs
    assert found
    for scored in found:
        assert scored.estimate.quality_low == pytest.approx(scored.estimate.quality)
        assert scored.estimate.quality >= 0.75
