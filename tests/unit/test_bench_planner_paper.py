"""The arithmetic of the paper's table, and the parts of its harness that do not simulate."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planner_paper_gains import (
    gains_percent,
    hypervolume,
    mean_gain_percent,
    ratio_errors_percent,
    savings_percent,
)
from planner_paper_published import BASELINES, COST_USD_PER_HOUR, P95_S, Method

POINTS = st.lists(st.tuples(st.floats(1, 20), st.floats(0.1, 1.0)), max_size=12)


def test_the_papers_own_figures_are_off_by_nothing() -> None:
    errors = ratio_errors_percent(P95_S)
    assert len(errors) == 20
    assert max(errors.values()) == 0.0


def test_the_papers_own_figures_give_its_mean_and_largest_gain() -> None:
    gains = gains_percent(P95_S | {Method.OURS: P95_S[Method.PAPER]})
    # The middle floors of two baselines, which the paper does not let one work out, must have gained less.
    assert mean_gain_percent(gains) == pytest.approx(63, abs=1)
    assert max(gains.values()) == pytest.approx(157, abs=2)


@pytest.mark.parametrize(
    ("over", "percent"),
    [((Method.ROUTED,), 38.0), ((Method.HOMOGENEOUS,), 15.0), (BASELINES, 33.5)],
)
def test_the_papers_own_prices_give_its_savings(over: tuple[Method, ...], percent: float) -> None:
    costs: dict[Method, tuple[float | None, ...]] = dict(COST_USD_PER_HOUR)
    assert savings_percent(costs | {Method.OURS: costs[Method.PAPER]}, over) == pytest.approx(
        percent, abs=0.1
    )


def test_one_point_fills_its_rectangle() -> None:
    assert hypervolume([(5.0, 0.6)], (10.0, 0.2)) == pytest.approx(5 * 0.4 / (10 * 0.8))


def test_points_outside_the_box_fill_nothing() -> None:
    assert hypervolume([(11.0, 0.9), (5.0, 0.1)], (10.0, 0.2)) == 0.0


@given(POINTS, st.tuples(st.floats(1, 20), st.floats(0.1, 1.0)))
def test_another_point_never_takes_volume_away(
    points: list[tuple[float, float]], one: tuple[float, float]
) -> None:
    worst = (15.0, 0.2)
    assert hypervolume([*points, one], worst) >= hypervolume(points, worst) - 1e-12


@given(POINTS)
def test_beaten_points_add_nothing(points: list[tuple[float, float]]) -> None:
    worst = (15.0, 0.2)
    beaten = [(seconds * 1.1, quality * 0.9) for seconds, quality in points]
    assert hypervolume([*points, *beaten], worst) == pytest.approx(hypervolume(points, worst))


def test_half_of_the_means_is_half_of_the_money_and_of_each_gpu() -> None:
    from planner_paper_allocate import Means

    half = Means.of(Decimal(30), 8).half
    assert (half.usd_per_hour, half.available) == (Decimal(15), (4, 4, 4, 4))
