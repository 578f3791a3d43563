"""The cheap judge: tails of a fleet from its replicas' profiles, and what breaks a constraint."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.market.offers import Market, Offer
from bouted.perf.profile import QUANTILES, Metric
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design, Judge, ScoredDesign
from bouted.planner.front import shortfall
from bouted.planner.judge import ProfilesJudge
from bouted.planner.latency import FOREVER_S, MixedTails, capped_s, mixed_quantile
from bouted.planner.planned import ModelShare
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import SpotRules
from bouted.quality.curve import QualityCurve
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer, planned

SMALL, LARGE = a_shape("small"), a_shape("large")
RATES = {SMALL: 8.0, LARGE: 4.0}


def a_case(load: float = 6.0, high: float | None = None, **changes: object) -> PlanningProblem:
    return a_problem(
        [an_offer()],
        a_table(RATES),
        (rules("small"), rules("large")),
        workload=a_workload(load, high=high),
        **{"wanted": targets(e2e=5.0, quality=0.6), **changes},  # type: ignore[arg-type]
    )


def a_design(small: int, large: int, share: float, offer: Offer | None = None) -> Design:
    offer = offer or an_offer()
    nodes = (*planned(offer, small, small=1), *planned(offer, large, large=1))
    shares = (ModelShare(model="small", share=1 - share), ModelShare(model="large", share=share))
    return Design(nodes=nodes, shares=shares)


def judge(problem: PlanningProblem) -> ProfilesJudge:
    return ProfilesJudge(
        problem,
        Capacities(problem.profiles, problem.targets),
        QualityCurve.from_model(problem.quality, problem.seed),
    )


def verdict(problem: PlanningProblem, design: Design) -> ScoredDesign:
    found = judge(problem).score(design)
    assert found is not None
    return found


def test_a_good_design_breaks_nothing() -> None:
    found = verdict(a_case(), a_design(1, 1, 0.3))
    assert found.violated == ()
    assert found.estimate.judge is Judge.PROFILES
    assert 1.0 < found.estimate.e2e_p95_s < 5.0
    assert 0.6 < found.estimate.quality_low < found.estimate.quality < 0.9


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"budget": "1.5"}, "budget"),
        ({"wanted": targets(e2e=5.0, quality=0.85)}, "quality_min"),
        ({"wanted": targets(e2e=0.9)}, "e2e_p95"),
        ({"wanted": targets(e2e=5.0, ttft=0.05)}, "ttft_p95"),
        ({"high": 60.0}, "capacity"),
        ({"spot_max_share": 0.5}, "spot_max_share"),
    ],
)
def test_each_constraint_is_named_when_broken(changes: dict[str, object], broken: str) -> None:
    assert broken in verdict(a_case(**changes), a_design(1, 1, 0.3)).violated  # type: ignore[arg-type]


def test_rules_of_spread_are_named_and_count_in_full() -> None:
    problem = a_case()
    problem = replace(problem, spot=SpotRules(max_share=1.0, pool_max_share=0.5, zone_max_share=0.5))
    one_place = verdict(problem, a_design(1, 1, 0.3))
    assert one_place.violated == ("spot_pool_max_share", "spot_zone_max_share")
    assert shortfall(problem, one_place) == 2.0
    nodes = [
        planned(an_offer(provider), 1, **{model: 1}) for provider in "ab" for model in ("small", "large")
    ]
    two_places = replace(one_place.design, nodes=tuple(node for pair in nodes for node in pair))
    assert verdict(problem, two_places).violated == ()


def test_nodes_that_stay_satisfy_the_spot_rule() -> None:
    steady = an_offer(market=Market.ON_DEMAND)
    assert verdict(a_case(spot_max_share=0.5), a_design(1, 1, 0.3, steady)).violated == ()


def test_a_model_with_queries_but_no_replica_cannot_be_judged() -> None:
    assert judge(a_case()).score(a_design(1, 0, 0.3)) is None
    assert judge(a_case()).score(a_design(1, 0, 0.0)) is not None


def test_a_shape_without_a_profile_cannot_be_judged() -> None:
    design = a_design(1, 1, 0.3, an_offer(gpu="T4"))
    assert judge(a_case()).score(design) is None


@given(
    st.lists(
        st.tuples(st.floats(0.1, 5.0), st.floats(0.1, 5.0), st.floats(0.05, 1.0)), min_size=1, max_size=4
    )
)
def test_the_quantile_of_a_mixture_agrees_with_samples(parts: list[tuple[float, float, float]]) -> None:
    seconds = np.array([start + width * np.array(QUANTILES) for start, width, _ in parts])
    weights = np.array([weight for _, _, weight in parts])
    weights /= weights.sum()
    even = (np.arange(4000) + 0.5) / 4000
    samples = np.concatenate([np.interp(even, QUANTILES, part) for part in seconds])
    order = np.argsort(samples)
    reached = np.cumsum(np.repeat(weights, 4000)[order]) / 4000
    expected = samples[order][np.searchsorted(reached, 0.95)]
    assert mixed_quantile(seconds, weights, 0.95) == pytest.approx(expected, abs=0.02 + 0.01 * expected)


def test_more_load_never_makes_a_fleet_faster() -> None:
    tails = [verdict(a_case(load=load), a_design(2, 2, 0.3)).estimate.e2e_p95_s for load in (2, 6, 10, 14)]
    assert tails == sorted(tails)


def test_nothing_that_serves_and_figures_that_are_no_numbers_count_as_late_as_can_be() -> None:
    tails = MixedTails(a_table(RATES))
    assert tails.p95_s(Metric.E2E, ()) == FOREVER_S
    assert capped_s(np.array([1.0, np.nan, np.inf, 1e9])).tolist() == [1.0, FOREVER_S, FOREVER_S, FOREVER_S]
