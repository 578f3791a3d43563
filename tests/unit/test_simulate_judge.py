"""The dear judge: latency over scenarios, losses, classes of requests, and only figures that are numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.offers import Market
from bouted.perf.profile import Metric
from bouted.planner.capacity import capacities_of
from bouted.planner.design import Design, Judge, ScoredDesign
from bouted.planner.front import shortfall
from bouted.planner.goals import ClassTargets, Risk, Robustness, Targets
from bouted.planner.judge import ProfilesJudge
from bouted.planner.latency import FOREVER_S
from bouted.planner.planned import ModelShare, PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.planner.simulate_judge import SimulatedJudge
from bouted.quality.curve import QualityCurve
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer, planned

SMALL, LARGE = a_shape("small"), a_shape("large")
USUAL = Robustness()
ROBUST = Robustness(risk=Risk.CVAR, tail=0.25, scenarios=5)


def a_case(
    load: float = 30.0, *, wanted: Targets | None = None, robustness: Robustness = USUAL
) -> PlanningProblem:
    problem = a_problem(
        [an_offer()],
        a_table({SMALL: 30.0, LARGE: 20.0}),
        (rules("small"), rules("large")),
        workload=a_workload(load),
        wanted=wanted or targets(e2e=20.0),
    )
    return replace(problem, robustness=robustness)


def fleet(small: int, large: int, market: Market = Market.SPOT, hazard: float = 0.0) -> Design:
    offer = replace(an_offer(market=market, obtainable=16), hazard_per_hour=hazard)
    return design(*planned(offer, small, small=1), *planned(offer, large, large=1))


def design(*nodes: PlannedNode) -> Design:
    shares = (ModelShare(model="small", share=0.7), ModelShare(model="large", share=0.3))
    return Design(nodes=nodes, shares=shares)


def simulated(problem: PlanningProblem, wanted: Design) -> ScoredDesign:
    capacities = capacities_of(problem)
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    cheap = ProfilesJudge(problem, capacities, curve)
    looked_up = cheap.score(wanted)
    assert looked_up is not None
    return SimulatedJudge(problem, capacities, cheap).score(looked_up)


def e2e(problem: PlanningProblem, wanted: Design) -> float:
    return simulated(problem, wanted).estimate.e2e_p95_s


def test_without_hazard_a_market_makes_no_difference_to_latency() -> None:
    problem = a_case(robustness=ROBUST)
    spot, steady = (simulated(problem, fleet(3, 2, market)) for market in (Market.SPOT, Market.ON_DEMAND))
    assert spot.estimate.e2e_p95_s == steady.estimate.e2e_p95_s
    assert spot.estimate.usd_spread > steady.estimate.usd_spread == 0.0


def test_a_fleet_that_may_be_taken_away_is_slower_in_the_worst_scenarios() -> None:
    problem = a_case(robustness=ROBUST)
    steady, risky = fleet(3, 2, Market.ON_DEMAND), fleet(3, 2, Market.SPOT, hazard=4.0)
    assert e2e(problem, risky) > 1.05 * e2e(problem, steady)


def test_caution_costs_a_risky_fleet_more_than_a_steady_one() -> None:
    mean, cautious = a_case(robustness=Robustness(scenarios=5)), a_case(robustness=ROBUST)
    steady, risky = fleet(3, 2, Market.ON_DEMAND), fleet(3, 2, Market.SPOT, hazard=0.3)
    extra = [e2e(cautious, each) - e2e(mean, each) for each in (steady, risky)]
    assert 0 <= extra[0] < extra[1]


def test_a_model_left_without_replicas_is_served_by_an_abler_one_but_not_by_a_less_able_one() -> None:
    problem = a_case(load=10.0, robustness=Robustness(scenarios=2, risk=Risk.CVAR, tail=0.05))
    gone = replace(an_offer(), hazard_per_hour=1.0)
    kept = an_offer(market=Market.ON_DEMAND)
    small_lost = design(*planned(gone, 1, small=1), *planned(kept, 3, large=1))
    large_lost = design(*planned(kept, 3, small=1), *planned(gone, 1, large=1))
    assert e2e(problem, small_lost) < 10.0
    assert e2e(problem, large_lost) == pytest.approx(360.0)


def test_a_fleet_that_is_all_lost_waits_for_its_replacement_and_stays_a_number() -> None:
    problem = a_case(robustness=ROBUST)
    estimate = simulated(problem, fleet(3, 2, hazard=1e6)).estimate
    assert estimate.e2e_p95_s == estimate.ttft_p95_s == pytest.approx(360.0)
    assert all(np.isfinite(x) for x in (estimate.tpot_p95_s, estimate.spread, estimate.usd_spread))


def test_the_usual_hazard_of_steady_nodes_changes_nothing() -> None:
    steady, rare = (fleet(3, 2, Market.ON_DEMAND, hazard) for hazard in (0.0, 0.0005))
    assert e2e(a_case(), rare) == e2e(a_case(), steady)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), st.floats(0.0, 3.0))
def test_more_of_the_same_is_never_much_slower(
    small: int, large: int, more: int, yet: int, hazard: float
) -> None:
    problem = a_case(load=15.0, robustness=Robustness(scenarios=3))
    less, extra = fleet(small, large, hazard=hazard), fleet(small + more, large + yet, hazard=hazard)
    assert e2e(problem, extra) <= e2e(problem, less) * 1.02


@settings(max_examples=10, deadline=None)
@given(st.floats(1.0, 200.0), st.floats(0.0, 50.0), st.integers(1, 6))
def test_no_figure_is_ever_not_a_number(load: float, hazard: float, count: int) -> None:
    problem = a_case(load=load, robustness=Robustness(scenarios=count), wanted=with_long(e2e=1.0))
    estimate = simulated(problem, fleet(2, 1, hazard=hazard)).estimate
    figures = [estimate.p95_s(metric) for metric in Metric] + [estimate.spread, estimate.usd_spread]
    figures += [item.p95_s(metric) for item in estimate.classes for metric in Metric]
    assert all(np.isfinite(figure) and figure <= FOREVER_S for figure in figures)


def with_long(*, ttft: float | None = None, e2e: float | None = None) -> Targets:
    """Lenient targets for all, and these P95 seconds for prompts of 600 tokens or more."""
    long = ClassTargets(name="long", prompt_tokens_from=600, ttft_p95_s=ttft, e2e_p95_s=e2e)
    return replace(targets(e2e=50.0), classes=(long,))


def test_a_request_belongs_to_the_highest_class_it_reaches_and_each_is_judged_by_its_own() -> None:
    classes = tuple(ClassTargets(name=str(n), prompt_tokens_from=n, ttft_p95_s=9.0) for n in (1, 300, 600))
    found = simulated(a_case(load=5.0, wanted=replace(targets(e2e=50.0), classes=classes)), fleet(2, 2))
    assert [item.name for item in found.estimate.classes] == ["1", "300", "600"]
    short, middle, long = (item.ttft_p95_s for item in found.estimate.classes)
    assert 1.1 * short < middle < long
    assert short < found.estimate.ttft_p95_s < long


def test_a_missed_class_target_has_the_name_of_the_class_and_counts_as_a_shortfall() -> None:
    problem = a_case(load=5.0, wanted=with_long(ttft=0.02))
    found = simulated(problem, fleet(2, 2))
    assert found.violated == ("long:ttft_p95",)
    assert shortfall(problem, found) == pytest.approx(found.estimate.classes[0].ttft_p95_s / 0.02 - 1)


def test_a_class_of_which_nothing_comes_is_not_judged() -> None:
    wanted = replace(with_long(ttft=0.02), classes=(ClassTargets(name="huge", prompt_tokens_from=9999),))
    found = simulated(a_case(wanted=wanted), fleet(2, 2))
    assert found.estimate.classes == ()
    assert found.violated == ()


def test_the_simulator_keeps_cost_and_quality_and_judges_latency_anew() -> None:
    problem, wanted = a_case(), fleet(3, 2)
    found = simulated(problem, wanted).estimate
    mean, low = QualityCurve.from_model(problem.quality, problem.seed).mean_low([0.7, 0.3])[0]
    assert found.judge is Judge.SIMULATED
    assert found.usd_per_hour == wanted.usd_per_hour
    assert (found.quality, found.quality_low) == (mean, low)
    assert found.e2e_p95_s > found.ttft_p95_s > 0


def test_a_fleet_that_drowns_is_seen_to_drown() -> None:
    found = simulated(a_case(load=500.0), fleet(1, 1))
    assert {"capacity", "e2e_p95"} <= set(found.violated)
