"""The search with simulations: ended at any time, told as it goes, and led by the rule of choice."""

from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest

from bouted.codec import dump
from bouted.market.offers import Market
from bouted.planner.design import Ended, Frontier, Judge, Progress, ScoredDesign
from bouted.planner.goals import Preference, Rule
from bouted.planner.inside import Ask
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.planned import Incumbent
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.planner.standing import Standing
from bouted.planner.workshop import workshop
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer, planned

# linear_operator uses what torch would drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OFFERS = (
    an_offer("one", usd_per_hour="1.00", market=Market.ON_DEMAND),
    an_offer("two", gpu_count=2, usd_per_hour="2.40", market=Market.ON_DEMAND),
    an_offer("four", gpu_count=4, usd_per_hour="4.00"),
)


def a_case(*, rule: Rule = Rule.CHEAPEST, budget: str = "20", **changes: object) -> PlanningProblem:
    problem = a_problem(
        OFFERS,
        a_table({a_shape("small"): 4.0, a_shape("large", tp=2): 3.0}),
        (rules("small"), rules("large")),
        budget=budget,
        **{  # type: ignore[arg-type]
            "wanted": targets(e2e=12.0, quality=0.7),
            "workload": a_workload(5.0),
            "sweep": 24,
            "evaluations": 16,
            **changes,
        },
    )
    return replace(problem, preference=Preference(rule=rule))


def search(problem: PlanningProblem, pieces: Pieces | None = None) -> Frontier:
    return propose(problem, lambda _: None, lambda: 0.0, pieces=pieces or Pieces())


def test_each_simulation_is_told_as_it_comes() -> None:
    heard: list[ScoredDesign] = []
    found = propose(a_case(), lambda _: None, lambda: 0.0, on_judged=heard.append)
    assert len(heard) == found.simulated == len(found.judged)
    assert all(item.estimate.judge is Judge.SIMULATED for item in heard)
    assert {dump(type(item.design), item.design) for item in found.designs} <= {
        dump(type(item.design), item.design) for item in heard
    }


def test_a_search_that_is_stopped_answers_with_the_best_so_far() -> None:
    heard: list[ScoredDesign] = []
    found = propose(
        a_case(evaluations=200),
        lambda _: None,
        lambda: 0.0,
        on_judged=heard.append,
        stop=lambda: len(heard) >= 5,
    )
    assert found.ended is Ended.STOPPED
    assert found.simulated == 5
    best = min(item.design.usd_per_hour for item in heard if not item.violated)
    assert found.designs[0].design.usd_per_hour == best


def test_a_search_past_its_deadline_says_so_and_keeps_what_it_has() -> None:
    ticks = count()
    problem = a_case(evaluations=10_000, deadline_s=4000.0)
    found = propose(problem, lambda _: None, lambda: float(next(ticks)))
    assert found.ended is Ended.DEADLINE
    assert found.designs
    assert 0 < found.simulated < 4000


def test_a_search_that_spends_its_effort_is_done_and_repeats() -> None:
    first, second = (search(a_case()) for _ in range(2))
    assert first.ended is Ended.DONE
    assert dump(Frontier, first) == dump(Frontier, second)


def test_progress_tells_the_bound_the_best_and_the_deadline() -> None:
    told: list[Progress] = []
    propose(a_case(), told.append, lambda: 0.0)
    last = told[-1]
    assert (last.stage, last.done, last.deadline_s) == ("simulate", last.total, 60.0)
    assert last.best_usd_per_hour is not None
    assert last.bound_usd_per_hour is not None
    assert 0 < last.bound_usd_per_hour <= last.best_usd_per_hour * 1.01


def test_the_front_holds_fast_and_good_designs_beside_cheap_ones() -> None:
    problem = a_case(evaluations=40, rule=Rule.KNEE, workload=a_workload(10.0))
    designs = search(problem).designs
    cheap, fast = designs[0], min(designs, key=lambda item: item.estimate.e2e_p95_s)
    good = max(designs, key=lambda item: item.estimate.quality_low)
    assert fast.design.usd_per_hour >= Decimal("1.5") * cheap.design.usd_per_hour
    assert fast.estimate.e2e_p95_s < 0.95 * cheap.estimate.e2e_p95_s
    assert good.estimate.quality_low > cheap.estimate.quality_low + 0.05


def test_for_the_fastest_the_budget_is_spent_where_it_buys_speed() -> None:
    cheap, fast = (search(a_case(rule=rule, evaluations=30)) for rule in (Rule.CHEAPEST, Rule.FASTEST))
    first = min(item.estimate.e2e_p95_s for item in fast.designs)
    assert first <= min(item.estimate.e2e_p95_s for item in cheap.designs) * 1.01
    fastest = min(fast.designs, key=lambda item: item.estimate.e2e_p95_s)
    assert Decimal(10) < fastest.design.usd_per_hour <= 20


def test_what_a_search_learned_is_used_by_the_next_unless_told_not_to() -> None:
    problem = a_case(evaluations=24)
    taught = search(problem).judged
    assert all(item.busy and item.placed for item in taught)
    wrong = tuple(
        replace(item, log_ratio=item.log_ratio + (2.0 if i % 2 else -1.0)) for i, item in enumerate(taught)
    )
    cold = search(problem)
    assert dump(Frontier, search(replace(problem, past=wrong))) != dump(Frontier, cold)
    ignored = search(replace(problem, past=wrong), Pieces(warm=False))
    assert dump(Frontier, ignored) == dump(Frontier, cold)


def test_a_past_of_other_models_is_not_understood_and_does_no_harm() -> None:
    problem = a_case()
    strange = tuple(replace(item, shares=(1.0,), busy=(0.5,)) for item in search(problem).judged)
    assert dump(Frontier, search(replace(problem, past=strange))) == dump(Frontier, search(problem))


def test_the_incumbent_is_judged_first() -> None:
    plan = search(a_case(evaluations=0)).designs[0].design
    incumbent = Incumbent(plan_id="old", nodes=plan.nodes, shares=plan.shares)
    heard: list[ScoredDesign] = []
    found = propose(a_case(incumbent=incumbent), lambda _: None, lambda: 0.0, on_judged=heard.append)
    assert heard[0].design == plan
    assert found.incumbent is not None
    assert found.incumbent.estimate.judge is Judge.SIMULATED


@pytest.mark.parametrize(
    "pieces",
    [
        Pieces(inside=False),
        Pieces(cheap=False),
        Pieces(kernel=False),
        Pieces(warm=False),
        Pieces(batch=False),
    ],
)
def test_without_any_one_piece_designs_still_meet_every_constraint(pieces: Pieces) -> None:
    found = search(a_case(), pieces)
    assert found.designs
    for item in found.designs:
        assert item.violated == ()
        assert item.design.usd_per_hour <= 20
        assert item.estimate.quality_low >= 0.7


class _Slow:
    """A judge to whom everything is twice as slow as looked up."""

    def score(self, scored: ScoredDesign) -> ScoredDesign:
        estimate = replace(scored.estimate, e2e_p95_s=2 * scored.estimate.e2e_p95_s, judge=Judge.SIMULATED)
        late = ("e2e_p95",) if estimate.e2e_p95_s > 12.0 else ()
        return replace(scored, estimate=estimate, violated=late)


def test_another_judge_has_the_last_word_and_the_search_learns_from_it() -> None:
    found = propose(a_case(evaluations=24), lambda _: None, lambda: 0.0, judge=_Slow())
    assert found.designs
    assert all(item.estimate.e2e_p95_s <= 12.0 for item in found.designs)
    assert all(item.log_ratio == pytest.approx(0.693, abs=0.001) for item in found.judged)


@pytest.mark.parametrize("rule", [Rule.CHEAPEST, Rule.FASTEST])
def test_what_is_over_the_budget_is_simulated_last_for_no_simulation_mends_that(rule: Rule) -> None:
    problem = a_case(rule=rule, budget="5", workload=a_workload(10.0))
    shop = workshop(problem, ALL, lambda: False, lambda _, __: None, None)
    ask = Ask(shares=(0.5, 0.5), factors=(1.0, 1.0), headroom=0.0, spot_share=1.0, switching=False)
    one, two, _ = OFFERS
    fast = shop.pool.add((*planned(one, 9, small=1), *planned(two, 9, large=1)), ask, None)
    slow = shop.pool.add((*planned(one, 2, small=1), *planned(two, 1, large=1)), ask, None)
    assert fast is not None
    assert slow is not None
    assert fast.scored.violated == ("budget",)
    assert slow.scored.violated
    assert Standing(problem, shop.pool, shop.archive, ALL).first(2) == [slow, fast]
