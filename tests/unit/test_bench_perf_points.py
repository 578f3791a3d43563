"""How the performance bench judges: errors, intervals, and which operator would have to change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perf_points import Kind, Point, lines, part_multiples, percent_inside, percent_off

from bouted.perf.steptime import Part


def _point(estimated: float, measured: float = 1.0, *, spread: float = 0.0, gpu: str = "H100") -> Point:
    return Point(
        name=f"{gpu} {estimated}",
        measured=measured,
        estimated=estimated,
        kinds=(Kind(by="GPU", value=gpu),),
        spread=spread,
    )


def test_too_much_is_a_positive_error() -> None:
    assert _point(1.2).error == pytest.approx(0.2)
    assert _point(0.8).error == pytest.approx(-0.2)


def test_both_directions_count_in_the_median_and_in_the_tail() -> None:
    points = [_point(x) for x in (0.9, 1.05, 1.3)]
    assert percent_off(points) == pytest.approx(10.0)
    assert percent_off(points, 1.0) == pytest.approx(30.0)


def test_nothing_measured_is_no_figure() -> None:
    assert percent_off([]) is None
    assert percent_inside([]) is None
    assert list(lines([])) == []


@pytest.mark.parametrize(
    ("measured", "inside"),
    [(1.0, True), (1.2, True), (1.21, False), (1 / 1.2, True), (0.82, False)],
)
def test_an_interval_reaches_from_the_estimate_over_to_the_estimate_times_one_and_the_spread(
    measured: float, inside: bool
) -> None:
    assert _point(1.0, measured, spread=0.2).inside is inside


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0, 3))
def test_a_wider_interval_never_loses_a_point(estimated: float, measured: float, spread: float) -> None:
    narrow, wide = (_point(estimated, measured, spread=s) for s in (spread, spread + 0.5))
    assert wide.inside or not narrow.inside


def test_errors_are_told_by_kind_and_the_worst_row_comes_first() -> None:
    points = [_point(1.1, gpu="H100"), _point(0.7, gpu="L4"), _point(1.0, gpu="L4")]
    told = list(lines(points, worst=1))
    assert told[0].startswith("by GPU: H100 10.0 % (+10.0 %) n=1; L4 15.0 % (-15.0 %) n=2")
    assert told[-1].startswith("worst: -30.0 % L4 0.7")


def _with_parts(rng: np.random.Generator, truth: dict[str, float], *, off: float = 1.0) -> Point:
    parts = tuple(Part(name=name, seconds=float(rng.uniform(0.5, 2))) for name in truth)
    estimated = sum(part.seconds for part in parts)
    measured = sum(truth[part.name] * part.seconds for part in parts)
    return Point(name="row", measured=measured * off, estimated=estimated, parts=parts)


def test_the_operator_that_is_too_fast_is_the_one_to_blame() -> None:
    rng = np.random.default_rng(1)
    truth = {"dense layers": 1.0, "all-reduce": 1.5, "engine": 0.8}
    found = part_multiples([_with_parts(rng, truth) for _ in range(400)])
    assert {part.name: round(part.seconds, 1) for part in found} == truth


def test_rows_that_are_wrong_by_more_than_a_factor_blame_nobody() -> None:
    rng = np.random.default_rng(1)
    truth = {"dense layers": 1.0, "all-reduce": 1.2}
    near = [_with_parts(rng, truth) for _ in range(300)]
    far = [_with_parts(rng, truth, off=10.0) for _ in range(100)]
    assert part_multiples([*near, *far]) == part_multiples(near)


def test_too_few_rows_blame_nobody() -> None:
    rng = np.random.default_rng(1)
    assert part_multiples([_with_parts(rng, {"dense layers": 1.0, "engine": 1.0})] * 3) == ()
