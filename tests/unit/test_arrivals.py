from collections.abc import Callable

import numpy as np
import pytest

from bouted.perf.arrivals import arrivals, weibull_arrivals
from bouted.perf.kernel import Floats

Pattern = Callable[[float, float, int, int], Floats]


@pytest.mark.parametrize("pattern", [arrivals, weibull_arrivals])
@pytest.mark.parametrize("cv", [0.0, 0.5, 1.0, 2.0])
def test_arrivals_have_the_rate_and_the_variation_asked_for(pattern: Pattern, cv: float) -> None:
    gaps = np.diff(pattern(5.0, cv, 50_000, 3), prepend=0.0)
    assert gaps.mean() == pytest.approx(0.2, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, abs=0.05)


@pytest.mark.parametrize("pattern", [arrivals, weibull_arrivals])
def test_one_seed_gives_one_pattern_stretched_by_the_rate(pattern: Pattern) -> None:
    np.testing.assert_allclose(pattern(2.0, 1.0, 50, 9), pattern(1.0, 1.0, 50, 9) / 2)
    assert not np.allclose(pattern(1.0, 1.0, 50, 9), pattern(1.0, 1.0, 50, 8))


def test_a_weibull_tail_is_heavier_than_a_gamma_one_of_the_same_variation() -> None:
    longest = [np.diff(pattern(1.0, 3.0, 100_000, 5)).max() for pattern in (arrivals, weibull_arrivals)]
    assert longest[1] > 1.5 * longest[0]
