"""Which design to run: the cheapest, unless moving to it does not pay."""

from dataclasses import replace
from decimal import Decimal

import pytest
from bouted.policies.select import Cheapest, moving_cost

from bouted.market.offers import Offer
from bouted.planner.design import Design, Estimate, Frontier, Judge, ScoredDesign
from bouted.planner.plan import Choice
from bouted.planner.problem import Incumbent, ModelShare, PlannedNode, PlanningProblem
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
    return Cheapest(min_payback_h=payback_h).select(front(*designs, old=old), problem(old, start_h=start_h))


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
    assert choice.why == ("saves $1.20/h over plan 7f3a2; moving costs $0.52, pays back in 26 min",)
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
    choice = Cheapest(min_payback_h=0.2).select(front(moved, kept, old=old), problem(old))
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
