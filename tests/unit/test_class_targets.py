"""Targets of a class: how much later its requests are on a replica, and that plans buy what they need."""

from dataclasses import replace

import numpy as np
import pytest

from bouted.catalog.gpus import Evidence
from bouted.market.offers import Market
from bouted.perf.build import build_profiles
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.loads import Detail
from bouted.perf.profile import ProfileTable
from bouted.planner.capacity import Capacities, capacities_of
from bouted.planner.classes import class_numbers
from bouted.planner.design import ScoredDesign
from bouted.planner.goals import ClassTargets
from bouted.planner.judge import ProfilesJudge
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.planner.simulate_judge import SimulatedJudge
from bouted.quality.curve import QualityCurve
from bouted.testing.builders import a_problem, a_shape, a_workload, rules, targets
from bouted.testing.fleet import an_offer
from bouted.workload.profile import RequestLength

SLOW, FAST = a_shape("one", "L4"), a_shape("one", "H100")
SHORT = [RequestLength(prompt_tokens=n, output_tokens=60) for n in range(80, 330, 10)]
LONG = [RequestLength(prompt_tokens=8000, output_tokens=60)]
# The slow GPU reads the long prompt in two seconds, the fast one in half a second.
READ_S = {SLOW: 250e-6, FAST: 62e-6}


def costs(read_s_per_token: float) -> StepCosts:
    return roofline(
        overhead_s=0.01,
        weights_s=0.01,
        compute_s_per_token=read_s_per_token,
        kv_s_per_token=0.0,
        kv_capacity_tokens=400_000,
        max_batch=64,
        max_step_tokens=2048,
        evidence=Evidence.ROOFLINE,
        spread=0.1,
    )


@pytest.fixture(scope="module")
def profiles() -> ProfileTable:
    pairs = tuple((shape, costs(seconds)) for shape, seconds in READ_S.items())
    return build_profiles(pairs, (*SHORT, *LONG), 1.0, 1, detail=Detail(most_points=8))


def a_case(profiles: ProfileTable, classes: tuple[ClassTargets, ...]) -> PlanningProblem:
    workload = replace(a_workload(4.0), lengths=(*SHORT, *LONG))
    offers = (
        an_offer("slow", gpu="L4", usd_per_hour="1.00", market=Market.ON_DEMAND),
        an_offer("fast", gpu="H100", usd_per_hour="6.00", market=Market.ON_DEMAND),
    )
    wanted = replace(targets(ttft=3.0), classes=classes)
    problem = a_problem(offers, profiles, (rules("one"),), workload=workload, sweep=24)
    return replace(problem, targets=wanted)


def long_within(ttft_s: float) -> tuple[ClassTargets, ...]:
    return (ClassTargets(name="long", prompt_tokens_from=4000, ttft_p95_s=ttft_s),)


@pytest.mark.parametrize(("tokens", "number"), [(1, -1), (99, -1), (100, 0), (999, 0), (1000, 1), (9999, 1)])
def test_a_request_is_of_the_highest_class_it_reaches(tokens: int, number: int) -> None:
    classes = tuple(ClassTargets(name=str(n), prompt_tokens_from=n) for n in (100, 1000))
    assert class_numbers(classes, np.array([tokens])).tolist() == [number]


def test_without_classes_a_replica_carries_what_all_requests_together_allow(profiles: ProfileTable) -> None:
    problem = a_case(profiles, ())
    plain = Capacities(profiles, problem.targets)
    for factor in (0.5, 1.0, 1.2):
        assert capacities_of(problem).rate(SLOW.id, factor) == plain.rate(SLOW.id, factor)


def test_a_lenient_class_takes_nothing_and_a_strict_one_rules_slow_gpus_out(profiles: ProfileTable) -> None:
    plain = capacities_of(a_case(profiles, ())).rate(SLOW.id, 1.0)
    carried = [
        capacities_of(a_case(profiles, long_within(limit))).rate(SLOW.id, 1.0) for limit in (60.0, 3.3, 1.0)
    ]
    assert carried[0] == plain
    assert 0 < carried[1] < plain
    assert carried[2] == 0.0


def cheapest(problem: PlanningProblem) -> ScoredDesign:
    """The cheapest design that looks feasible, simulated."""
    found = propose(problem, lambda _: None, lambda: 0.0).designs[0]
    capacities, curve = capacities_of(problem), QualityCurve.from_model(problem.quality, problem.seed)
    return SimulatedJudge(problem, capacities, ProfilesJudge(problem, capacities, curve)).score(found)


def test_a_class_target_makes_the_plan_buy_what_its_requests_need(profiles: ProfileTable) -> None:
    lenient, strict = (cheapest(a_case(profiles, long_within(limit))) for limit in (60.0, 1.5))
    assert {node.offer.gpu for node in lenient.design.nodes} == {"L4"}
    assert {node.offer.gpu for node in strict.design.nodes} == {"H100"}
    assert strict.violated == ()
    assert strict.estimate.classes[0].ttft_p95_s <= 1.5 < lenient.estimate.classes[0].ttft_p95_s


def test_a_class_that_no_gpu_serves_in_time_leaves_no_design(profiles: ProfileTable) -> None:
    assert propose(a_case(profiles, long_within(0.1)), lambda _: None, lambda: 0.0).designs == ()
