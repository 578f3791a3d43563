"""Round numbers along an axis."""

from hypothesis import given
from hypothesis import strategies as st

from bouted.cli.ticks import ticks


def test_ticks_are_round_and_reach_around_the_figures() -> None:
    assert ticks(6.26, 14.1, 6) == [6.0, 8.0, 10.0, 12.0, 14.0, 16.0]
    assert ticks(0.64, 0.93, 5) == [0.6, 0.7, 0.8, 0.9, 1.0]


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6), about=st.integers(2, 10))
def test_all_figures_lie_between_the_first_and_the_last_tick(low: float, width: float, about: int) -> None:
    found = ticks(low, low + width, about)
    slack = 1e-6 * (abs(low) + width)
    assert found[0] <= low + slack
    assert found[-1] >= low + width - slack
    assert found == sorted(set(found))
    assert 2 <= len(found) <= 2 * about + 2


def test_one_figure_alone_gets_an_axis_around_it() -> None:
    found = ticks(5.0, 5.0, 5)
    assert found[0] < 5 < found[-1]
    assert ticks(0.0, 0.0, 5)[0] < 0 < ticks(0.0, 0.0, 5)[-1]
