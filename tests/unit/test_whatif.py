"""What binds a plan, what a little more buys, why no other GPU: on problems whose answers are known."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bouted.market.offers import Market
from bouted.perf.profile import Metric, ProfileTable
from bouted.planner.design import ClassEstimate, Design, Estimate, Judge, ScoredDesign
from bouted.planner.goals import ClassTargets, Preference, Rule
from bouted.planner.judge import SPOT
from bouted.planner.missed import missed
from bouted.planner.planned import ModelShare
from bouted.planner.problem import PlanningProblem
from bouted.planner.relax import Unit, eased
from bouted.planner.resolve import around, resolve, scale_of
from bouted.planner.terms import Quota, SpotRules
from bouted.planner.whatif import WhatIf, what_if
from bouted.planner.whynot import Asked, Verdict, gpus_on_sale
from bouted.testing.builders import a_problem, a_profile, a_shape, a_workload, rules, targets
from bouted.testing.fleet import an_offer, planned

SMALL_L4 = a_shape("small", "L4")
# Idle: TTFT 0.1 s, end to end 1 s; 4 queries/s at most.
L4 = an_offer("aws", gpu="L4", usd_per_hour="1.00")
# Twice as quick, twice the load, at three times the price.
H100 = an_offer("gcp", gpu="H100", usd_per_hour="3.00")
T4 = an_offer("azure", gpu="T4", usd_per_hour="0.10")
TABLE = ProfileTable(
    profiles=(
        a_profile(SMALL_L4, idle_s=0.1, max_rate=4.0),
        a_profile(a_shape("small", "H100"), idle_s=0.05, max_rate=8.0),
        a_profile(a_shape("small", "T4"), idle_s=2.0, max_rate=4.0),
    )
)


def problem(rate: float = 7.0, e2e: float = 3.0, **changes: object) -> PlanningProblem:
    case = a_problem(
        (L4, H100, T4),
        TABLE,
        (rules("small", least=1),),
        workload=a_workload(rate),
        wanted=targets(e2e=e2e),
        sweep=32,
    )
    return replace(case, **changes)  # type: ignore[arg-type]


def best(case: PlanningProblem) -> ScoredDesign:
    return resolve(case).designs[0]


def asked(case: PlanningProblem) -> WhatIf:
    chosen = best(case)
    return what_if(case, None, chosen.design, chosen.estimate, lambda done, total: None)


def buys(found: WhatIf) -> dict[str, Decimal]:
    return {item.name: item.saves_usd_per_hour for item in found.bought if item.binds}


def test_a_target_that_costs_a_node_binds_and_says_what_it_costs() -> None:
    """At 7 queries/s two L4 would do, at 1.37 s; within 1.35 s it takes three."""
    tight = problem(e2e=1.35)
    assert best(tight).design.usd_per_hour == 3
    found = asked(tight)
    assert buys(found) == {"p95 e2e": Decimal("1.00")}


def test_nothing_binds_where_nothing_is_scarce() -> None:
    found = asked(problem(rate=3.0))
    assert buys(found) == {}
    assert {item.name for item in found.bought} == {"p95 e2e", "budget", "stock", "min_replicas of small"}


def test_stock_binds_where_the_cheap_offer_is_sold_out() -> None:
    found = asked(problem(offers=(replace(L4, obtainable=1), H100)))
    assert buys(found) == {f"stock of {L4.id}": Decimal("1.00")}


def test_a_quota_binds_like_stock() -> None:
    quota = Quota(provider="aws", region="us-*", gpu="L4", market=Market.SPOT, gpus=1)
    found = asked(problem(quotas=(quota,)))
    assert buys(found) == {"quotas of aws us-* L4 spot": Decimal("1.00")}


def test_the_spot_share_binds_where_on_demand_is_dearer() -> None:
    steady = an_offer("lambda", gpu="L4", usd_per_hour="2.50", market=Market.ON_DEMAND)
    found = asked(problem(offers=(L4, steady), spot=SpotRules(max_share=0.4)))
    assert buys(found) == {"spot share": Decimal("1.50")}


def test_the_floor_binds_where_lower_quality_needs_less_of_the_large_model() -> None:
    large = an_offer("aws", gpu="A100", usd_per_hour="4.00")
    case = a_problem(
        (L4, large),
        ProfileTable(
            profiles=(TABLE.profiles[0], a_profile(a_shape("large", "A100"), idle_s=0.1, max_rate=2.0))
        ),
        (rules("small"), rules("large")),
        workload=a_workload(10.0),
        wanted=targets(e2e=3.0, quality=0.70),
    )
    chosen = best(case)
    (floor,) = (item for item in eased(case, chosen.design, chosen.estimate) if item.name == "quality floor")
    assert best(floor.problem).design.usd_per_hour < chosen.design.usd_per_hour


def test_more_money_buys_a_lower_latency_where_a_faster_fleet_costs_a_little_more() -> None:
    near = replace(H100, usd_per_hour=Decimal("2.50"))
    found = asked(problem(offers=(L4, near))).more_money
    assert found.usd_per_hour is not None
    assert found.p95_s is not None
    assert 2 < found.usd_per_hour <= 3
    assert found.faster_s > 0.1
    dear = asked(problem(rate=0.5, offers=(L4, replace(H100, usd_per_hour=Decimal("9.00"))))).more_money
    assert dear.p95_s is None or dear.usd_per_hour == 2


def test_by_the_fastest_rule_budget_binds_and_buys_seconds() -> None:
    case = problem(preference=Preference(rule=Rule.FASTEST))
    case = replace(case, budget=replace(case.budget, usd_per_hour=Decimal("2.50")))
    found = {item.name: item for item in asked(case).bought}
    assert found["budget"].faster_s > 0.05
    assert found["budget"].saves_usd_per_hour == 0
    assert found["p95 e2e"].faster_s == 0


def test_asking_twice_gives_the_same_answers() -> None:
    case = problem(e2e=1.35)
    assert asked(case) == asked(case)


def test_latency_targets_are_scaled_to_what_the_simulator_said() -> None:
    case = problem()
    chosen = best(case)
    slower = replace(chosen.estimate, judge=Judge.SIMULATED, e2e_p95_s=chosen.estimate.e2e_p95_s * 1.25)
    scale = scale_of(case, chosen.design, slower)
    assert scale[Metric.E2E] == pytest.approx(0.8)
    assert around(case, chosen.design, scale).targets.e2e_p95_s == pytest.approx(3.0 * 0.8)
    assert scale_of(case, chosen.design, chosen.estimate) == dict.fromkeys(Metric, 1.0)


def test_every_constraint_is_eased_the_way_that_allows_more() -> None:
    classes = (ClassTargets(name="long", prompt_tokens_from=1000, ttft_p95_s=5.0),)
    case = problem(spot=SpotRules(max_share=0.5, pool_max_share=0.95))
    case = replace(case, targets=replace(case.targets, quality_min=0.5, ttft_p95_s=0.4, classes=classes))
    chosen = best(problem())
    found = {item.name: item for item in eased(case, chosen.design, chosen.estimate)}
    assert found["p95 e2e"].problem.targets.e2e_p95_s == pytest.approx(3.1)
    assert found["p95 ttft"].problem.targets.ttft_p95_s == pytest.approx(0.44)
    assert found["p95 ttft of long"].problem.targets.classes[0].ttft_p95_s == pytest.approx(5.1)
    assert found["quality floor"].problem.targets.quality_min == pytest.approx(0.49)
    assert found["spot share"].problem.spot.max_share == pytest.approx(0.6)
    assert found["spot share of a pool"].problem.spot.pool_max_share == 1.0
    assert "spot share of a zone" not in found
    assert found["budget"].problem.budget.usd_per_hour == case.budget.usd_per_hour + 1
    assert all(item.problem != case for item in found.values())
    assert found["p95 ttft of long"].unit is Unit.SECONDS


def why_nots(case: PlanningProblem) -> dict[str, Verdict]:
    chosen = best(case)
    answers = Asked(around(case, chosen.design, dict.fromkeys(Metric, 1.0)), chosen.design, [])
    return {gpu: answers.why_not(gpu).verdict for gpu in (*gpus_on_sale(case), "B300")}


def test_each_gpu_has_its_reason() -> None:
    sold_out = an_offer("aws", gpu="A10G", obtainable=0)
    small = an_offer("aws", gpu="K80")
    case = problem(offers=(L4, H100, T4, sold_out, small))
    assert why_nots(case) == {
        "A10G": Verdict.SOLD_OUT,
        "B300": Verdict.NOT_ON_SALE,
        "H100": Verdict.DEARER,
        "K80": Verdict.NO_ROOM,
        "L4": Verdict.USED,
        "T4": Verdict.TOO_SLOW,
    }


def test_a_gpu_where_no_model_may_run_is_told_so() -> None:
    case = problem(models=(rules("small", clouds=("aws",)),))
    assert why_nots(case)["H100"] is Verdict.NOT_ALLOWED


def test_a_slow_gpu_is_told_with_its_idle_latency() -> None:
    case = problem()
    chosen = best(case)
    answer = Asked(around(case, chosen.design, dict.fromkeys(Metric, 1.0)), chosen.design, []).why_not("T4")
    assert answer.idle_s is not None
    assert answer.idle_s > 20


@pytest.mark.parametrize(("rate", "more"), [(7.0, "1.00"), (11.0, "1.00"), (3.0, "2.00")])
def test_a_node_of_another_gpu_costs_what_the_best_fleet_around_it_costs(rate: float, more: str) -> None:
    """H100 carries 8 queries/s at $3, L4 carries 4 at $1: beside one H100, fewer L4 are needed."""
    case = problem(rate=rate)
    chosen = best(case)
    answers = Asked(around(case, chosen.design, dict.fromkeys(Metric, 1.0)), chosen.design, [])
    assert answers.why_not("H100").more_usd_per_hour == Decimal(more)


ESTIMATE = Estimate(
    usd_per_hour=Decimal("3.20"),
    ttft_p95_s=1.0,
    tpot_p95_s=0.05,
    e2e_p95_s=14.2,
    quality=0.8,
    quality_low=0.79,
    bound_usd_per_hour=1.0,
    judge=Judge.SIMULATED,
    spread=0.1,
    classes=(ClassEstimate(name="long", ttft_p95_s=6.5, tpot_p95_s=0.1, e2e_p95_s=20.0),),
)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("e2e_p95", "p95 e2e: 14.2 s against 12 s"),
        ("long:ttft_p95", "p95 ttft of class long: 6.5 s against 5 s"),
        ("quality_min", "quality_min: 0.790 against 0.85"),
        ("budget", "the budget: $3.20/h against $3/h"),
        (SPOT, "spot.max_share: more than 50% of a model is on spot"),
        ("spot_pool_max_share", "spot.pool_max_share: more than 30% of a model's spot is on one pool"),
        ("capacity", "capacity: too little for 7 queries/s"),
    ],
)
def test_a_broken_constraint_is_told_with_both_figures(name: str, said: str) -> None:
    classes = (ClassTargets(name="long", prompt_tokens_from=1000, ttft_p95_s=5.0),)
    case = problem(spot=SpotRules(max_share=0.5, pool_max_share=0.3))
    case = replace(case, targets=replace(targets(e2e=12.0, quality=0.85), classes=classes))
    case = replace(case, budget=replace(case.budget, usd_per_hour=Decimal(3)))
    design = Design(nodes=planned(L4, 1, small=1), shares=(ModelShare(model="small", share=1.0),))
    assert missed(case, ScoredDesign(design=design, estimate=ESTIMATE, violated=(name,)), name) == said
