"""A figure that is no number is refused by the row it stands in, before a search and after one."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.codec import dump, parse
from bouted.errors import BoutedError, Misconfigured
from bouted.perf.profile import LoadPoint, ProfileTable
from bouted.planner.design import Design, Estimate, Frontier, Judge, ScoredDesign
from bouted.planner.goals import ClassTargets
from bouted.planner.past import PastJudgement
from bouted.planner.planned import Incumbent, ModelShare
from bouted.planner.problem import PlanningProblem
from bouted.planner.sound import require_sound, require_sound_front
from bouted.planner.terms import PriceLife
from bouted.testing.builders import a_problem, a_shape, a_table, rules
from bouted.testing.fleet import an_offer, planned
from bouted.workload.profile import RequestLength

SHAPE = a_shape("small")
PROBLEM = a_problem((an_offer("one"), an_offer("two")), a_table({SHAPE: 5.0}), (rules("small"),))
SHAPE_ID = "small@L4:tp1pp1:bf16:vllm"


def with_point(problem: PlanningProblem, change: Callable[[LoadPoint], LoadPoint]) -> PlanningProblem:
    """`problem` with its third load point changed."""
    (profile,) = problem.profiles.profiles
    points = tuple(change(point) if at == 2 else point for at, point in enumerate(profile.points))
    return replace(problem, profiles=ProfileTable(profiles=(replace(profile, points=points),)))


def with_costs(problem: PlanningProblem, **changes: float) -> PlanningProblem:
    (profile,) = problem.profiles.profiles
    costs = replace(profile.costs, **changes)  # type: ignore[arg-type]
    return replace(problem, profiles=ProfileTable(profiles=(replace(profile, costs=costs),)))


def with_offer(problem: PlanningProblem, **changes: object) -> PlanningProblem:
    first, *others = problem.offers
    return replace(problem, offers=(replace(first, **changes), *others))  # type: ignore[arg-type]


def with_load(problem: PlanningProblem, **changes: object) -> PlanningProblem:
    return replace(problem, workload=replace(problem.workload, **changes))  # type: ignore[arg-type]


def with_targets(problem: PlanningProblem, **changes: object) -> PlanningProblem:
    return replace(problem, targets=replace(problem.targets, **changes))  # type: ignore[arg-type]


def with_score(problem: PlanningProblem, prompt: int, score: float) -> PlanningProblem:
    scores = list(problem.quality.scores)
    scores[prompt - 1] = (score,)
    return replace(problem, quality=replace(problem.quality, scores=tuple(scores)))


def an_incumbent(share: float) -> Incumbent:
    nodes = planned(an_offer("one"))
    return Incumbent(plan_id="p", nodes=nodes, shares=(ModelShare(model="small", share=share),))


FIRST = PROBLEM.offers[0].id
TABLE: list[tuple[PlanningProblem, str]] = [
    (with_offer(PROBLEM, usd_per_hour=Decimal("Infinity")), f"offer {FIRST}: usd_per_hour Infinity"),
    (with_offer(PROBLEM, hazard_per_hour=nan), f"offer {FIRST}: hazard_per_hour nan"),
    (with_offer(PROBLEM, hazard_per_hour=-0.1), f"offer {FIRST}: hazard_per_hour -0.1"),
    (replace(PROBLEM, price_lives=(PriceLife(offer_id=FIRST, hours=nan),)),
     f"offer {FIRST}: price life in hours nan"),
    (with_point(PROBLEM, lambda point: replace(point, e2e_s=(*point.e2e_s[:4], nan, *point.e2e_s[5:]))),
     f"shape {SHAPE_ID}, load point 3: e2e_s[4] nan"),
    (with_point(PROBLEM, lambda point: replace(point, ttft_s=(-1.0, *point.ttft_s[1:]))),
     f"shape {SHAPE_ID}, load point 3: ttft_s[0] -1.0"),
    (with_point(PROBLEM, lambda point: replace(point, rate_per_s=inf)),
     f"shape {SHAPE_ID}, load point 3: rate_per_s inf"),
    (with_costs(PROBLEM, spread=nan), f"shape {SHAPE_ID}, step costs: spread nan"),
    (with_costs(PROBLEM, kv_s=nan), f"shape {SHAPE_ID}, step costs: kv_s nan"),
    (with_load(PROBLEM, rate_high_per_s=nan), "workload: rate_high_per_s nan"),
    (with_load(PROBLEM, lengths=(RequestLength(prompt_tokens=-3, output_tokens=1),)),
     "workload, request 1: prompt_tokens -3"),
    (with_score(PROBLEM, 7, nan), "evals, prompt 7 by router score: score of small nan"),
    (with_score(PROBLEM, 400, -0.5), "evals, prompt 400 by router score: score of small -0.5"),
    (with_targets(PROBLEM, ttft_p95_s=nan), "targets: ttft_p95_s nan"),
    (with_targets(PROBLEM, classes=(ClassTargets(name="long", prompt_tokens_from=9, e2e_p95_s=inf),)),
     "targets, class long: e2e_p95_s inf"),
    (replace(PROBLEM, spot=replace(PROBLEM.spot, zone_max_share=nan)), "spot: max_share_per_zone nan"),
    (replace(PROBLEM, incumbent=an_incumbent(-0.2)), "the plan in force: share of small -0.2"),
]  # fmt: skip


def test_a_sound_problem_passes() -> None:
    require_sound(PROBLEM)
    require_sound(replace(PROBLEM, incumbent=an_incumbent(1.0)))


@pytest.mark.parametrize(("problem", "row"), TABLE, ids=[row for _, row in TABLE])
def test_a_figure_that_is_no_number_is_refused_by_its_row(problem: PlanningProblem, row: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        require_sound(problem)
    assert caught.value.message == f"planning: no plan can be made with {row}"
    assert caught.value.hint


def test_every_bad_row_is_counted_and_the_first_ten_are_named() -> None:
    problem = with_offer(PROBLEM, hazard_per_hour=nan)
    for prompt in range(1, 13):
        problem = with_score(problem, prompt, nan)
    with pytest.raises(Misconfigured) as caught:
        require_sound(problem)
    rows = caught.value.message.split("; ")
    assert len(rows) == 11
    assert rows[0].endswith(f"offer {FIRST}: hazard_per_hour nan")
    assert rows[9] == "evals, prompt 9 by router score: score of small nan"
    assert rows[10] == "and 3 more"
    assert "bouted prices" in caught.value.hint


@given(prompt=st.integers(1, 400), score=st.floats(allow_nan=True, allow_infinity=True))
def test_a_score_is_refused_exactly_when_it_cannot_be_a_score(prompt: int, score: float) -> None:
    problem = with_score(PROBLEM, prompt, score)
    if 0 <= score < inf:
        require_sound(problem)
        assert parse(PlanningProblem, dump(PlanningProblem, problem)) == problem
    else:
        with pytest.raises(Misconfigured, match=f"prompt {prompt} by"):
            require_sound(problem)


def a_front(**changes: object) -> Frontier:
    estimate = Estimate(
        usd_per_hour=Decimal(1),
        ttft_p95_s=0.1,
        tpot_p95_s=0.1,
        e2e_p95_s=1.0,
        quality=0.8,
        quality_low=0.7,
        bound_usd_per_hour=0.9,
        judge=Judge.SIMULATED,
        spread=0.2,
    )
    design = Design(nodes=planned(an_offer("one")), shares=(ModelShare(model="small", share=1.0),))
    item = ScoredDesign(design=design, estimate=estimate, violated=())
    bad = replace(item, estimate=replace(estimate, **changes))  # type: ignore[arg-type]
    return Frontier(
        designs=(item, bad), incumbent=None, nearest=None, swept=1, simulated=1, seconds=0.1, seed=1
    )


def test_a_front_of_numbers_passes() -> None:
    require_sound_front(a_front())
    require_sound_front(a_front(bound_usd_per_hour=-1e-12))


@pytest.mark.parametrize("value", [nan, inf, -1.0])
def test_a_front_that_was_judged_to_be_no_number_is_a_bug_and_no_plan(value: float) -> None:
    with pytest.raises(BoutedError, match="design 2 of the front: e2e_p95_s") as caught:
        require_sound_front(a_front(e2e_p95_s=value))
    assert "bug" in caught.value.hint
    front = a_front()
    with pytest.raises(BoutedError, match="the plan in force: quality_low nan"):
        require_sound_front(replace(front, incumbent=a_front(quality_low=nan).designs[1]))
    with pytest.raises(BoutedError, match="the nearest design: ttft_p95_s"):
        require_sound_front(replace(front, nearest=a_front(ttft_p95_s=value).designs[1]))


def test_what_a_simulation_taught_must_be_a_number_too() -> None:
    past = PastJudgement(
        shares=(1.0,), factors=(1.0,), headroom=0.1, spot_share=1.0, usd_per_hour=2.0, log_ratio=-0.3
    )
    require_sound_front(replace(a_front(), judged=(past,)))
    with pytest.raises(BoutedError, match="simulation 2: log_ratio nan"):
        require_sound_front(replace(a_front(), judged=(past, replace(past, log_ratio=nan))))
