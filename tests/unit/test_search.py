"""The search with the cheap judge: what it finds, that it repeats, and what it says when there is nothing."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import count

import numpy as np
import pytest

from bouted.codec import dump
from bouted.errors import Infeasible
from bouted.market.offers import Market
from bouted.planner.capacity import Capacities
from bouted.planner.design import Frontier, Progress
from bouted.planner.explain import explain_infeasible
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.outside import cube
from bouted.planner.planned import Incumbent, ModelShare
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.planner.splits import FloorSplits
from bouted.quality.curve import QualityCurve
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer, planned

SMALL, LARGE = a_shape("small"), a_shape("large", tp=2)
OFFERS = (
    an_offer("one", usd_per_hour="1.00", market=Market.ON_DEMAND),
    an_offer("two", gpu_count=2, usd_per_hour="2.40", market=Market.ON_DEMAND),
    an_offer("four", gpu_count=4, usd_per_hour="4.00"),
)


def a_case(**changes: object) -> PlanningProblem:
    return a_problem(
        OFFERS,
        a_table({SMALL: 4.0, LARGE: 3.0}),
        (rules("small"), rules("large")),
        **{"wanted": targets(e2e=3.0, quality=0.7), "workload": a_workload(10.0), "sweep": 32, **changes},  # type: ignore[arg-type]
    )


def search(problem: PlanningProblem) -> Frontier:
    return propose(problem, lambda _: None, lambda: 0.0)


def test_every_design_on_the_front_meets_every_constraint() -> None:
    problem = a_case(budget="20")
    found = search(problem)
    assert found.designs
    for item in found.designs:
        assert item.estimate.e2e_p95_s <= 3.0
        assert item.estimate.quality_low >= 0.7
        assert item.design.usd_per_hour <= 20
        assert sum(share.share for share in item.design.shares) == pytest.approx(1.0)
    assert [item.design.usd_per_hour for item in found.designs] == sorted(
        item.design.usd_per_hour for item in found.designs
    )


def test_the_same_problem_gives_the_same_bytes() -> None:
    first, second = (search(a_case()) for _ in range(2))
    assert dump(Frontier, first) == dump(Frontier, second)


def test_no_design_is_cheaper_than_the_bound() -> None:
    for item in search(a_case()).designs:
        assert 0 < item.estimate.bound_usd_per_hour <= float(item.design.usd_per_hour) + 1e-9


def test_with_two_models_the_sweep_is_as_good_as_trying_everything() -> None:
    problem = a_case(sweep=64)
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    inside = Inside(problem, Capacities(problem.profiles, problem.targets))
    fleets = [
        inside.cheapest_fleet(
            Ask(shares=(1 - x, x), factors=(f, f), headroom=0.0, spot_share=1.0, switching=False)
        )
        for x in np.round(np.linspace(0, 1, 51), 2)
        if curve.low([1 - x, x]) >= 0.7
        for f in (1.0, 0.8)
    ]
    best = min(fleet.usd_per_hour for fleet in fleets if isinstance(fleet, Fleet))
    assert search(problem).designs[0].design.usd_per_hour <= best * Decimal("1.002")


def test_one_model_is_a_plain_covering_problem() -> None:
    problem = a_problem([an_offer()], a_table({SMALL: 4.0}), (rules("small"),), workload=a_workload(10.0))
    assert search(problem).designs[0].design.usd_per_hour == 3


def test_the_incumbent_is_judged_under_the_new_load() -> None:
    steady = an_offer("one", usd_per_hour="1.00", market=Market.ON_DEMAND)
    incumbent = Incumbent(
        plan_id="old",
        nodes=(
            *planned(steady, 2, small=1),
            *planned(an_offer("two", gpu_count=2, usd_per_hour="2.40"), large=1),
        ),
        shares=(ModelShare(model="small", share=0.7), ModelShare(model="large", share=0.3)),
    )
    calm = search(a_case(incumbent=incumbent, workload=a_workload(5.0))).incumbent
    busy = search(a_case(incumbent=incumbent, workload=a_workload(30.0))).incumbent
    assert calm is not None
    assert busy is not None
    assert calm.violated == ()
    assert calm.design.nodes == incumbent.nodes
    assert "capacity" in busy.violated


def test_a_late_search_returns_what_it_has() -> None:
    ticks = count()
    found = propose(a_case(sweep=512, deadline_s=40.0), lambda _: None, lambda: float(next(ticks)))
    assert 0 < found.swept < 100
    assert found.designs


def test_progress_grows_and_ends_at_the_total() -> None:
    told: list[Progress] = []
    propose(a_case(), told.append, lambda: 0.0)
    assert [item.done for item in told] == sorted(item.done for item in told)
    assert told[-1].best_usd_per_hour is not None


def test_points_are_mapped_to_splits_that_meet_the_floor() -> None:
    problem = a_case()
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    space = cube(problem, FloorSplits(curve, 0.7, problem.seed))
    for ask in space.asks(space.sobol(64, 3)):
        assert curve.low(ask.shares) >= 0.7 - 1e-3
        assert all(0.3 <= factor <= 1.2 for factor in ask.factors)
        assert 0 <= ask.headroom <= 0.5


@pytest.mark.parametrize(
    ("changes", "said", "hint"),
    [
        ({"budget": "2"}, "the budget is $2/h", "raise budget.usd_per_hour to at least"),
        (
            {"wanted": targets(e2e=3.0, quality=0.95)},
            "above what the best model reaches, 0.9",
            "targets.quality_min",
        ),
        ({"wanted": targets(e2e=0.5)}, "no fleet reaches e2e p95 of 0.5 s", "raise targets.e2e_p95_ms"),
        ({"workload": a_workload(9000.0)}, "cannot carry 9e+03 queries/s", "allow more GPUs"),
    ],
)
def test_what_cannot_be_is_explained(changes: dict[str, object], said: str, hint: str) -> None:
    problem = a_case(**changes)
    found = search(problem)
    assert found.designs == ()
    error = explain_infeasible(problem, found)
    assert isinstance(error, Infeasible)
    assert said in error.message
    assert hint in error.hint


def test_the_fleet_named_when_the_budget_is_too_small_would_do() -> None:
    poor = a_case(budget="2")
    nearest = search(poor).nearest
    assert nearest is not None
    assert nearest.violated == ("budget",)
    enough = replace(poor.budget, usd_per_hour=nearest.design.usd_per_hour)
    assert search(replace(poor, budget=enough)).designs[0].design.usd_per_hour <= nearest.design.usd_per_hour


def test_the_cheapest_fleet_uses_the_node_that_holds_both_models() -> None:
    found = search(a_case(workload=a_workload(7.0)))
    names = Counter(node.offer.provider for node in found.designs[0].design.nodes)
    assert names["four"] == 1
