"""How many requests a second a replica answers in time, against its load: the concave curve above it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import QUANTILES, Metric, Profile

Floats = npt.NDArray[np.float64]

LEVELS = np.array(QUANTILES)
# Lines are left out while the rest stay this close above the curve, as a share of its top.
CLOSE = 0.004
# Loads between two measured ones at which the curve is followed.
BETWEEN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`slope x load + most_per_s`, both of one replica: no replica answers more requests/s in time."""

    slope: float
    most_per_s: float


def on_time_lines(profile: Profile, metric: Metric, limit_s: float) -> tuple[Line, ...]:
    """The least concave curve above `load x share of requests within limit_s`, as lines of falling slope.

    Loads go from none to the profile's highest. Quantiles between measured loads are as the judge of designs
    takes them. Scaled to n replicas that share a load X, a line reads `slope X + most_per_s n`.
    """
    loads, shares = _shares_in_time(profile, metric, limit_s)
    x, y = np.concatenate([[0.0], loads]), np.concatenate([[0.0], loads * shares])
    return tuple(Line(slope=slope, most_per_s=start) for slope, start in _fewer(hull(x, y), x))


def _shares_in_time(profile: Profile, metric: Metric, limit_s: float) -> tuple[Floats, Floats]:
    """Loads, and the share of requests that take at most `limit_s` at each."""
    rates = np.array([point.rate_per_s for point in profile.points])
    seconds = np.array([point.of(metric) for point in profile.points])
    at = np.linspace(0, len(rates) - 1, BETWEEN * (len(rates) - 1) + 1)
    left = np.minimum(at.astype(np.int64), max(len(rates) - 2, 0))
    part = at - left
    right = np.minimum(left + 1, len(rates) - 1)
    loads = rates[left] * (1 - part) + rates[right] * part
    between = seconds[left] * (1 - part[:, None]) + seconds[right] * part[:, None]
    return loads, _shares_within(between, limit_s)


def _shares_within(seconds: Floats, limit_s: float) -> Floats:
    """Per row of quantiles (`rows x levels`), the share of requests within the limit."""
    passed = (seconds <= limit_s).sum(axis=1)
    low = np.clip(passed - 1, 0, len(LEVELS) - 2)
    rows = np.arange(len(seconds))
    start, end = seconds[rows, low], seconds[rows, low + 1]
    part = np.clip((limit_s - start) / np.maximum(end - start, 1e-12), 0.0, 1.0)
    inside = LEVELS[low] + part * (LEVELS[low + 1] - LEVELS[low])
    return np.where(passed == 0, 0.0, np.where(passed == len(LEVELS), 1.0, inside))


def hull(x: Floats, y: Floats) -> tuple[tuple[float, float], ...]:
    """Lines (slope, value at 0) whose least is the least concave function that is nowhere below `y`."""
    kept: list[int] = []
    for i in range(len(x)):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) > (y[i] - y[a]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(i)
    slopes = np.diff(y[kept]) / np.diff(x[kept])
    return tuple((float(s), float(y[i] - s * x[i])) for s, i in zip(slopes, kept, strict=False))


def _fewer(lines: tuple[tuple[float, float], ...], x: Floats) -> tuple[tuple[float, float], ...]:
    """Some of the lines whose least is hardly above the least of all; never below it."""
    values = np.array([slope * x + start for slope, start in lines])
    least = values.min(axis=0)
    close = CLOSE * max(float(least.max()), 1e-12)
    kept: list[int] = []
    uncovered = np.ones(len(x), dtype=np.bool_)
    while uncovered.any():
        covers = (values[:, uncovered] <= least[uncovered] + close).sum(axis=1)
        kept.append(int(np.argmax(covers)))
        uncovered &= values[kept[-1]] > least + close
    return tuple(lines[i] for i in sorted(kept))
