"""The front: what no other design beats, the least bad design, the bound."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.perf.profile import Metric
from bouted.planner.design import Design, Estimate, Judge, ScoredDesign
from bouted.planner.front import front, nearest, shortfall, with_bound
from bouted.planner.planned import ModelShare
from bouted.testing.builders import a_problem, a_shape, a_table, rules, targets
from bouted.testing.fleet import an_offer, planned


def scored(
    usd: str, e2e: float, quality: float = 0.8, violated: tuple[str, ...] = (), name: str = "aws"
) -> ScoredDesign:
    design = Design(
        nodes=planned(an_offer(name, usd_per_hour=usd), small=1),
        shares=(ModelShare(model="small", share=1.0),),
    )
    estimate = Estimate(
        usd_per_hour=Decimal(usd),
        ttft_p95_s=e2e / 10,
        tpot_p95_s=0.01,
        e2e_p95_s=e2e,
        quality=quality + 0.01,
        quality_low=quality,
        bound_usd_per_hour=0.0,
        judge=Judge.PROFILES,
        spread=0.1,
    )
    return ScoredDesign(design=design, estimate=estimate, violated=violated)


def test_a_design_that_is_dearer_slower_and_no_better_is_not_on_the_front() -> None:
    cheap, fast, beaten = scored("1", 5.0), scored("2", 3.0), scored("3", 4.0)
    assert front([beaten, fast, cheap], Metric.E2E) == (cheap, fast)


def test_a_dearer_and_slower_design_stays_for_its_quality() -> None:
    cheap, good = scored("1", 5.0), scored("2", 6.0, quality=0.9)
    assert front([good, cheap], Metric.E2E) == (cheap, good)


def test_an_infeasible_design_is_never_on_the_front() -> None:
    assert front([scored("1", 1.0, violated=("budget",))], Metric.E2E) == ()


def test_of_equal_designs_the_first_is_kept() -> None:
    first, second = scored("1", 5.0, name="a"), scored("1", 5.0, name="b")
    assert front([first, second], Metric.E2E) == (first,)


def test_no_designs_have_no_front() -> None:
    assert front([], Metric.E2E) == ()


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
def test_every_design_is_on_the_front_or_beaten_by_one_that_is(found: list[tuple[int, int, int]]) -> None:
    designs = [scored(str(usd), float(e2e), quality / 10) for usd, e2e, quality in found]
    kept = front(designs, Metric.E2E)
    assert [item.estimate.usd_per_hour for item in kept] == sorted(
        item.estimate.usd_per_hour for item in kept
    )
    for item in designs:
        assert any(
            other.estimate.usd_per_hour <= item.estimate.usd_per_hour
            and other.estimate.e2e_p95_s <= item.estimate.e2e_p95_s
            and other.estimate.quality_low >= item.estimate.quality_low
            for other in kept
        )


PROBLEM = a_problem(
    [an_offer()], a_table({a_shape("small"): 4.0}), (rules("small"),), wanted=targets(e2e=10.0, quality=0.8)
)


def test_the_nearest_design_misses_least_and_then_costs_least() -> None:
    slow = scored("1", 15.0, violated=("e2e_p95",))
    close, dear = scored("9", 11.0, violated=("e2e_p95",)), scored("10", 11.0, violated=("e2e_p95",))
    assert nearest(PROBLEM, [slow, dear, close]) == close
    assert nearest(PROBLEM, []) is None


def test_a_budget_that_is_too_small_is_no_shortfall_but_the_rest_adds_up() -> None:
    assert shortfall(PROBLEM, scored("9", 5.0, violated=("budget",))) == 0
    both = scored("9", 15.0, quality=0.4, violated=("e2e_p95", "quality_min"))
    assert shortfall(PROBLEM, both) == 1.0
    assert shortfall(PROBLEM, scored("9", 5.0, violated=("capacity",))) == 1.0


def test_the_bound_is_never_above_the_design_itself() -> None:
    assert with_bound(scored("4", 5.0), 3.0).estimate.bound_usd_per_hour == 3.0
    assert with_bound(scored("4", 5.0), 3.0).estimate.gap_to_bound == pytest.approx(1 / 3)
    assert with_bound(scored("4", 5.0), 5.0).estimate.gap_to_bound == 0.0
    assert with_bound(scored("4", 5.0), 5.0).estimate.bound_usd_per_hour == 5.0
