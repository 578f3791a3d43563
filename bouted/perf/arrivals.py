"""When requests arrive: gaps of a given mean and variation."""

from math import exp, lgamma

import numpy as np

from bouted.perf.kernel import Floats


def arrivals(rate_per_s: float, cv: float, n: int, seed: int) -> Floats:
    """`n` arrival times in seconds with Gamma gaps of mean `1 / rate_per_s` and variation `cv`.

    One seed gives one pattern: another rate only stretches it. `cv` 1 is Poisson, 0 is a clock.
    """
    if cv == 0:
        return np.arange(1, n + 1) / rate_per_s
    gaps = np.random.default_rng(seed).gamma(1 / cv**2, cv**2, n)
    return np.cumsum(gaps) / rate_per_s


def weibull_arrivals(rate_per_s: float, cv: float, n: int, seed: int) -> Floats:
    """`n` arrival times in seconds with Weibull gaps of mean `1 / rate_per_s` and variation `cv`.

    Its tail is heavier than Gamma's at the same variation above 1 (ServeGen finds both, by client). `cv` 1
    is Poisson, 0 is a clock. One seed gives one pattern.
    """
    if cv == 0:
        return np.arange(1, n + 1) / rate_per_s
    shape = _weibull_shape(cv)
    gaps = np.random.default_rng(seed).weibull(shape, n) / exp(lgamma(1 + 1 / shape))
    return np.cumsum(gaps) / rate_per_s


def _weibull_shape(cv: float) -> float:
    """The shape whose variation is `cv`, by halving: the variation falls as the shape grows."""
    low, high = 0.02, 200.0
    for _ in range(100):
        middle = (low * high) ** 0.5
        squared = lgamma(1 + 2 / middle) - 2 * lgamma(1 + 1 / middle)
        if squared > np.log1p(cv**2):
            low = middle
        else:
            high = middle
    return high
