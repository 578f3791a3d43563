"""Which design to run: the cheapest, unless moving to it does not pay."""

from dataclasses import replace
from decimal import Decimal
from math import inf

import pytest
from bouted.policies.select import ByRule
from bouted.policies.select_move import holds_h, move_to, moving_cost
from bouted.policies.select_rank import losses, preferred, scores
from hypothesis import given
from hypothesis import strategies as st

from bouted.market.egress import parse_place
from bouted.market.offers import Offer
from bouted.planner.design import Design, Estimate, Frontier, Judge, ScoredDesign
from bouted.planner.goals import Preference, Rule
from bouted.planner.plan import Choice
from bouted.planner.planned import Incumbent, ModelShare, PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import ModelWeights, PriceLife, SwitchingCosts
from bouted.testing.builders import a_problem, a_shape, a_table, rules, targets
from bouted.testing.fleet import an_offer, planned

SHARES = (ModelShare(model="small", share=1.0),)


def nodes(name: str, usd: str, count: int = 1) -> tuple[PlannedNode, ...]:
    return planned(an_offer(name, usd_per_hour=usd), count, small=1)


def scored(fleet: tuple[PlannedNode, ...], e2e: float = 8.0, violated: tuple[str, ...] = ()) -> ScoredDesign:
    design = Design(nodes=fleet, shares=SHARES)
    estimate = Estimate(
        usd_per_hour=design.usd_per_hour,
        ttft_p95_s=1.0,
        tpot_p95_s=0.05,
        e2e_p95_s=e2e,
        quality=0.8,
        quality_low=0.79,
        bound_usd_per_hour=1.0,
        judge=Judge.SIMULATED,
        spread=0.1,
    )
    return ScoredDesign(design=design, estimate=estimate, violated=violated)


def front(*designs: ScoredDesign, old: ScoredDesign | None = None) -> Frontier:
    return Frontier(designs=designs, incumbent=old, nearest=None, swept=1, simulated=1, seconds=1.0, seed=1)


def problem(old: ScoredDesign | None = None, start_h: float = 0.1, overlap_h: float = 0.1) -> PlanningProblem:
    incumbent = Incumbent(plan_id="7f3a2", nodes=old.design.nodes, shares=SHARES) if old else None
    return a_problem(
        [an_offer()],
        a_table({a_shape("small"): 4.0}),
        (rules("small"),),
        wanted=targets(e2e=12.0),
        incumbent=incumbent,
        start_h=start_h,
        overlap_h=overlap_h,
    )


def choose(
    *designs: ScoredDesign, old: ScoredDesign | None = None, payback_h: float = 1.0, start_h: float = 0.1
) -> Choice:
    return ByRule(min_payback_h=payback_h).select(front(*designs, old=old), problem(old, start_h=start_h))


def test_the_first_plan_is_the_cheapest_design() -> None:
    cheap, dear = scored(nodes("a", "2")), scored(nodes("b", "3"), e2e=5.0)
    choice = choose(cheap, dear)
    assert choice.chosen == cheap.design
    assert not choice.held
    assert choice.why == ("cheapest of 2 designs that meet every target",)
    assert choice.runner_up == "$3.00/h, p95 e2e 5 s, quality 0.800: $1.00/h dearer"


def test_among_equally_cheap_designs_the_fastest_wins() -> None:
    slow, fast = scored(nodes("a", "2.00"), e2e=9.0), scored(nodes("b", "2.01"), e2e=5.0)
    assert choose(slow, fast).chosen == fast.design


def test_a_saving_that_pays_back_in_time_is_taken() -> None:
    old, new = scored(nodes("a", "3.20")), scored(nodes("b", "2.00"))
    choice = choose(new, old=old)
    assert choice.chosen == new.design
    assert not choice.held
    assert choice.why == (
        "saves $1.20/h over plan 7f3a2, prices like these hold 6 h; moving costs $0.52, pays back in 26 min",
    )
    assert choice.runner_up == "plan 7f3a2 as it is: $1.20/h dearer"


def test_a_saving_that_pays_back_too_late_is_left() -> None:
    old, new = scored(nodes("a", "3.20")), scored(nodes("b", "2.90"))
    choice = choose(new, old=old, start_h=1.0)
    assert choice.held
    assert choice.chosen == old.design
    assert choice.estimate == old.estimate
    assert "plan 7f3a2 stays" in choice.why[0]
    assert "would pay back in 10.7 h" in choice.why[0]
    assert choice.runner_up.endswith("moving pays back only in 10.7 h")


def test_a_saving_of_less_than_two_percent_is_left() -> None:
    old, new = scored(nodes("a", "3.20")), scored(nodes("b", "3.15"))
    choice = choose(new, old=old, payback_h=1000.0)
    assert choice.held
    assert "only $0.05/h (1.6 %) could be saved" in choice.why[0]


def test_the_cheapest_plan_is_kept() -> None:
    old = scored(nodes("a", "2"))
    choice = choose(old, scored(nodes("b", "3"), e2e=2.0), old=old)
    assert choice.held
    assert choice.why == ("plan 7f3a2 is still the cheapest that meets the targets",)
    assert choice.runner_up == ""


def test_a_smaller_saving_that_pays_wins_over_a_larger_one_that_does_not() -> None:
    old = scored((*nodes("a", "2.00", 4),))
    moved, kept = scored(nodes("b", "1.20", 4)), scored(nodes("a", "2.00", 3))
    choice = ByRule(min_payback_h=0.2).select(front(moved, kept, old=old), problem(old))
    assert choice.chosen == kept.design


@pytest.mark.parametrize(
    ("broken", "e2e", "said"),
    [
        ("e2e_p95", 14.2, "plan 7f3a2 would miss p95 e2e: 14.2 s against 12 s"),
        ("budget", 8.0, "plan 7f3a2 would miss the budget: $3.20/h against $1000/h"),
        ("capacity", 8.0, "plan 7f3a2 would miss capacity: too little for 10 queries/s"),
    ],
)
def test_a_plan_that_breaks_a_constraint_is_left_whatever_it_costs(
    broken: str, e2e: float, said: str
) -> None:
    old, new = scored(nodes("a", "3.20"), e2e=e2e, violated=(broken,)), scored(nodes("b", "4.00"))
    choice = choose(new, old=old)
    assert choice.chosen == new.design
    assert not choice.held
    assert choice.why == (said, "costs $0.80/h more than plan 7f3a2; moving costs $0.72")


def test_a_forced_move_keeps_what_it_can() -> None:
    old = scored(nodes("a", "1.00", 2), violated=("capacity",))
    fresh, grown = scored(nodes("b", "2.98"), e2e=3.0), scored(nodes("a", "1.00", 3), e2e=8.0)
    assert choose(fresh, grown, old=old).chosen == grown.design


def test_moving_costs_what_is_started_and_what_is_dropped() -> None:
    running: Offer = an_offer("a", usd_per_hour="2.00")
    before = planned(running, 2, small=1)
    after = Design(nodes=(before[0], *nodes("b", "3.00")), shares=SHARES)
    case = problem(start_h=0.5, overlap_h=0.25)
    assert moving_cost(after, before, case) == Decimal("2.00") * Decimal("0.25") + Decimal("1.50")
    assert moving_cost(replace(after, nodes=before), before, case) == 0


def test_a_group_moves_all_its_instances() -> None:
    before = planned(an_offer("a", usd_per_hour="2.00"), 1, small=1)
    group = replace(before[0], template=replace(before[0].template, instances=2))
    case = problem(start_h=0.5, overlap_h=0.25)
    assert moving_cost(Design(nodes=(group,), shares=SHARES), (), case) == Decimal("2.00")
    assert moving_cost(Design(nodes=(), shares=SHARES), (group,), case) == Decimal("1.00")


def test_a_start_takes_as_long_as_its_weights_take_to_fetch() -> None:
    fleet = nodes("a", "2.00")
    weights = ModelWeights(model="small", place=parse_place("internet"), gib=20.0)
    case = replace(
        problem(),
        weights=(weights,),
        switching=SwitchingCosts(start_h=0.1, overlap_h=0.1, fetch_h_per_gib=0.01),
    )
    assert moving_cost(Design(nodes=fleet, shares=SHARES), (), case) == Decimal("2.00") * Decimal("0.3")


def test_a_move_rests_on_the_prices_of_what_it_starts_and_drops() -> None:
    kept, dropped, started = nodes("kept", "1"), nodes("dropped", "3"), nodes("started", "2")
    lives = tuple(
        PriceLife(offer_id=fleet[0].offer.id, hours=hours)
        for fleet, hours in ((kept, 0.1), (dropped, 5.0), (started, 9.0))
    )
    case = replace(problem(), price_lives=lives)
    after = Design(nodes=(*kept, *started), shares=SHARES)
    assert holds_h(after, (*kept, *dropped), case) == 5.0
    assert holds_h(after, (*kept, *dropped), replace(case, price_lives=lives[2:])) == case.price_life_h
    assert holds_h(Design(nodes=kept, shares=SHARES), kept, case) == inf


def test_a_saving_whose_prices_do_not_hold_long_enough_is_left() -> None:
    old, new = scored(nodes("a", "3.20")), scored(nodes("b", "2.00"))
    case = replace(
        problem(old, start_h=1.0), price_lives=(PriceLife(offer_id=new.design.nodes[0].offer.id, hours=0.5),)
    )
    choice = ByRule(min_payback_h=24.0).select(front(new, old=old), case)
    assert choice.held
    assert choice.why == (
        "plan 7f3a2 stays: $1.20/h could be saved, but moving costs $2.32, pays back in 116 min,"
        " and prices like these hold 30 min",
    )
    assert choice.runner_up.endswith("its prices hold 30 min")


def with_quality(item: ScoredDesign, quality: float) -> ScoredDesign:
    return replace(item, estimate=replace(item.estimate, quality=quality, quality_low=quality))


CHEAP = with_quality(scored(nodes("cheap", "2.00"), e2e=10.0), 0.80)
MIDDLE = with_quality(scored(nodes("middle", "3.00"), e2e=4.0), 0.85)
FAST = with_quality(scored(nodes("fast", "8.00"), e2e=2.0), 0.86)
FRONT = (CHEAP, MIDDLE, FAST)


def by(rule: Rule | Preference, old: ScoredDesign | None = None, *, budget: str = "1000") -> Choice:
    case = problem(old)
    case = replace(
        case,
        preference=rule if isinstance(rule, Preference) else Preference(rule=rule),
        budget=replace(case.budget, usd_per_hour=Decimal(budget)),
    )
    return ByRule(min_payback_h=1.0).select(front(*FRONT, old=old), case)


@pytest.mark.parametrize(
    ("rule", "taken", "why"),
    [
        (Rule.CHEAPEST, CHEAP, "cheapest of 3 designs that meet every target"),
        (Rule.FASTEST, FAST, "fastest within $1000/h of 3 designs that meet every target"),
        (Rule.KNEE, MIDDLE, "knee of 3 designs that meet every target"),
        (
            Preference(rule=Rule.PREFERENCE, cost=0.0, quality=2.0),
            FAST,
            "best by the weights cost 0, latency 0, quality 2 of 3 designs that meet every target",
        ),
        (
            Preference(rule=Rule.PREFERENCE, cost=1.0, latency=0.1),
            CHEAP,
            "best by the weights cost 1, latency 0.1, quality 0 of 3 designs that meet every target",
        ),
    ],
)
def test_each_rule_takes_its_own_design(rule: Rule | Preference, taken: ScoredDesign, why: str) -> None:
    choice = by(rule)
    assert choice.chosen == taken.design
    assert choice.why == (why,)


def test_the_runner_up_is_told_in_the_terms_of_the_rule() -> None:
    assert by(Rule.FASTEST).runner_up == "$3.00/h, p95 e2e 4 s, quality 0.850: 2 s slower"
    assert by(Rule.KNEE).runner_up.endswith("further from the knee")


def test_a_faster_design_is_taken_though_it_saves_nothing() -> None:
    choice = by(Rule.FASTEST, CHEAP)
    assert choice.chosen == FAST.design
    assert choice.why == (
        "p95 e2e 2 s where plan 7f3a2 takes 10 s, for $6.00/h more; moving costs $1.00: $0.17/h over the 6 h"
        " that prices like these hold",
    )


def test_a_faster_design_must_fit_the_budget_with_its_move() -> None:
    assert by(Rule.FASTEST, CHEAP, budget="8.17").chosen == FAST.design
    assert by(Rule.FASTEST, CHEAP, budget="8.16").chosen == MIDDLE.design


@pytest.mark.parametrize(("e2e", "held"), [(2.1, True), (2.11, False)])
def test_a_design_less_than_five_percent_faster_is_left(e2e: float, held: bool) -> None:
    old = scored(nodes("old", "8.00"), e2e=e2e)
    choice = by(Rule.FASTEST, old)
    assert choice.held is held
    if held:
        assert choice.why == ("plan 7f3a2 stays: moving gains only 4.8 % of its p95",)
        assert choice.runner_up.endswith("gains only 4.8 % of its p95")


def test_the_plan_nearest_to_the_knee_is_kept() -> None:
    choice = by(Rule.KNEE, MIDDLE)
    assert choice.held
    assert choice.why == ("plan 7f3a2 is still the nearest to the knee",)
    assert choice.runner_up == ""


def test_a_move_to_the_knee_says_what_it_changes() -> None:
    choice = by(Rule.KNEE, FAST)
    assert choice.chosen == MIDDLE.design
    assert choice.why[0].startswith(
        "nearer the knee than plan 7f3a2: $5.00/h less, p95 e2e 4 s for 2 s, quality 0.850 for 0.860; moving"
    )


def test_a_dear_move_counts_against_a_preferred_design() -> None:
    """The prices hold so short a time that the move makes the preferred design the dearest of all."""
    case = replace(
        problem(CHEAP), preference=Preference(rule=Rule.PREFERENCE, cost=1.0, latency=1.0), price_life_h=0.01
    )
    assert ByRule(min_payback_h=1.0).select(front(*FRONT, old=CHEAP), case).held
    calm = replace(case, price_life_h=100.0)
    assert ByRule(min_payback_h=1.0).select(front(*FRONT, old=CHEAP), calm).chosen == MIDDLE.design


FIGURES = st.tuples(st.integers(1, 50), st.integers(1, 50), st.integers(0, 20))


@given(
    figures=st.lists(FIGURES, min_size=1, max_size=8),
    rule=st.sampled_from(list(Rule)),
    weights=st.tuples(st.floats(0.1, 5), st.floats(0.1, 5), st.floats(0.1, 5)),
)
def test_no_rule_prefers_a_design_that_another_beats_clearly(
    figures: list[tuple[int, int, int]], rule: Rule, weights: tuple[float, float, float]
) -> None:
    designs = [
        with_quality(scored(nodes(f"o{i}", str(usd)), e2e=float(p95)), quality / 20)
        for i, (usd, p95, quality) in enumerate(figures)
    ]
    cost, latency, quality = weights
    preference = Preference(rule=rule, cost=cost, latency=latency, quality=quality)
    case = replace(problem(), preference=preference)
    values = dict(zip((item.design for item in designs), scores(designs, case), strict=True))
    best = preferred(designs, (), case)
    for item in designs:
        if _beats(item, best):
            assert values[item.design] >= values[best.design] - 0.0101 * max(1.0, values[best.design])


def _beats(one: ScoredDesign, other: ScoredDesign) -> bool:
    a, b = one.estimate, other.estimate
    return a.usd_per_hour < b.usd_per_hour and a.e2e_p95_s < b.e2e_p95_s and a.quality_low > b.quality_low


def test_losses_are_shares_of_what_the_designs_span() -> None:
    found = losses([2.0, 3.0, 4.0], [1.0, 1.0, 1.0], [0.9, 0.8, 0.7])
    assert [(loss.cost, loss.latency) for loss in found] == [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0)]
    assert [loss.quality for loss in found] == pytest.approx([0.0, 0.5, 1.0])


def test_the_knee_of_two_objectives_is_furthest_from_the_chord() -> None:
    """Against the distance itself, with quality all alike."""
    usd, p95 = [1.0, 2.0, 3.0, 6.0, 9.0], [10.0, 5.0, 4.0, 2.5, 2.0]
    found = losses(usd, p95, [0.8] * 5)
    away = [(1 - loss.cost - loss.latency) / 2**0.5 for loss in found]
    totals = [loss.total for loss in found]
    assert totals.index(min(totals)) == away.index(max(away)) == 1


def test_a_move_that_saves_nothing_never_pays_back() -> None:
    assert move_to(FAST.design, CHEAP.design, problem()).payback_h == inf
