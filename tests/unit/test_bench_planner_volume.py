"""How the planner bench measures fronts: hypervolume, archive, box."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from planner_archive import Box, Seen, by, cheapest, first_within
from planner_volume import hypervolume, non_dominated

Floats = npt.NDArray[np.float64]

points = arrays(np.float64, st.tuples(st.integers(0, 12), st.just(3)), elements=st.floats(0.0, 1.0))
BOX = Box(budget_usd_per_hour=10.0, target_p95_s=2.0, floor=0.8, best=0.9)


def _seen(
    at_s: float, usd: float, *, p95_s: float = 1.0, quality: float = 0.85, feasible: bool = True
) -> Seen:
    return Seen(at_s=at_s, usd_per_hour=usd, p95_s=p95_s, quality_low=quality, feasible=feasible)


@pytest.mark.parametrize(
    ("rows", "volume"),
    [
        ([], 0.0),
        ([(0.0, 0.0, 0.0)], 1.0),
        ([(0.5, 0.5, 0.5)], 0.125),
        ([(0.5, 0.5, 1.0)], 0.0),
        ([(-1.0, 0.5, 0.5)], 0.25),
        ([(0.5, 0.5, 0.5)] * 2, 0.125),
        ([(0.5, 0.5, 0.5), (0.6, 0.6, 0.6)], 0.125),
        ([(0.0, 0.5, 0.5), (0.5, 0.0, 0.5)], 0.25 + 0.25 - 0.125),
        ([(0.0, 0.0, 0.5), (0.5, 0.5, 0.0)], 0.5 + 0.25 - 0.125),
    ],
)
def test_the_volume_of_a_few_points_is_known(rows: list[tuple[float, float, float]], volume: float) -> None:
    assert hypervolume(np.array(rows).reshape(-1, 3)) == pytest.approx(volume)


@given(points)
def test_the_volume_is_that_of_the_points_that_counting_finds_dominated(rows: Floats) -> None:
    """On a grid of tenths, counting cells is exact."""
    rows = np.round(rows, 1)
    cells = (np.stack(np.meshgrid(*[np.arange(10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) + 0.5) / 10
    dominated = np.zeros(len(cells), dtype=np.bool_)
    for row in rows:
        dominated |= np.all(cells >= row, axis=1)
    assert hypervolume(rows) == pytest.approx(float(dominated.mean()))


@given(points, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_a_volume(rows: Floats, random: object) -> None:
    shuffled = np.vstack([rows[::-1], rows])
    assert hypervolume(shuffled) == pytest.approx(hypervolume(rows))


@given(points)
def test_a_front_beats_every_point_and_no_point_of_its_own(rows: Floats) -> None:
    front = non_dominated(rows)
    assert all(np.any(np.all(front <= row, axis=1)) for row in rows)
    for i, row in enumerate(front):
        others = np.delete(front, i, axis=0)
        assert not np.any(np.all(others <= row, axis=1))


def test_what_was_seen_later_does_not_count_earlier() -> None:
    seen = (_seen(1.0, 8.0), _seen(5.0, 4.0))
    assert BOX.volume(by(seen, 2.0)) == pytest.approx(0.2 * 0.5 * 0.5)
    assert BOX.volume(by(seen, 9.0)) == pytest.approx(0.6 * 0.5 * 0.5)


def test_infeasible_designs_add_nothing() -> None:
    seen = (_seen(1.0, 1.0, feasible=False), _seen(2.0, 8.0))
    assert BOX.volume(seen) == pytest.approx(0.2 * 0.5 * 0.5)
    assert cheapest(seen) == 8.0
    assert cheapest(seen[:1]) is None


def test_a_plan_is_reached_when_it_is_first_within_a_percent() -> None:
    seen = (_seen(1.0, 10.0), _seen(2.0, 5.04, feasible=False), _seen(3.0, 5.04), _seen(4.0, 5.0))
    assert first_within(seen, 5.0) == 3.0
    assert first_within(seen, 4.0) is None
    assert first_within(seen, None) is None
