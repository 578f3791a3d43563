"""Latency at a few loads, placed where the curves bend."""

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Floats
from bouted.perf.mix import MOST_CYCLES, RequestMix
from bouted.perf.profile import QUANTILES, LoadPoint

FIRST = (0.03, 0.35, 0.7, 0.95)
"""Loads, as shares of the knee, that every profile has. Above the last a queue may grow for minutes."""
MOST_POINTS = 20
BEND = 0.08
"""How far, as a share, the middle of a span may be off the line before its halves are halved too.

Where a curve bends evenly, the profile is then within a quarter of this."""
NARROWEST = 0.01  # of the knee: nearer points would tell noise from noise

_JUDGED = tuple(QUANTILES.index(level) for level in (0.5, 0.9, 0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How finely latency is sampled against load; `bend` 0 takes `most_points` whatever the curves do."""

    most_points: int = MOST_POINTS
    bend: float = BEND


USUAL = Detail()


def load_points(
    costs: StepCosts, mix: RequestMix, knee_per_s: float, detail: Detail = USUAL
) -> tuple[LoadPoint, ...]:
    """Points that ascend in rate from near idle to 95 % of the knee.

    The span whose middle was furthest off the line is halved next, until no middle is off by `detail.bend`
    or there are `detail.most_points`.
    """
    points = {load: _point(costs, mix, knee_per_s, load) for load in FIRST}
    spans: list[tuple[float, float, float]] = []
    for low, high in pairwise(FIRST):
        heappush(spans, (-np.inf, low, high))
    while spans and len(points) < detail.most_points:
        _, low, high = heappop(spans)
        middle = (low + high) / 2
        points[middle] = _point(costs, mix, knee_per_s, middle)
        off = _off_line(points[low], points[middle], points[high])
        if off >= detail.bend and (high - low) / 4 > NARROWEST:
            heappush(spans, (-off, low, middle))
            heappush(spans, (-off, middle, high))
    return tuple(points[load] for load in sorted(points))


def cycles_at(load: float) -> int:
    """Cycles of requests that settle a point: waits near the knee hang together for long."""
    return 5 if load < 0.5 else 10 if load < 0.8 else MOST_CYCLES


def _point(costs: StepCosts, mix: RequestMix, knee_per_s: float, load: float) -> LoadPoint:
    cycles = cycles_at(load)
    seen = mix.run(costs, load * knee_per_s, cycles)
    return LoadPoint(
        rate_per_s=load * knee_per_s,
        ttft_s=_quantiles(mix.settled(seen.ttft_s, cycles)),
        tpot_s=_quantiles(mix.settled(seen.tpot_s, cycles)),
        e2e_s=_quantiles(mix.settled(seen.e2e_s, cycles)),
    )


def _quantiles(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, QUANTILES))


def _off_line(low: LoadPoint, middle: LoadPoint, high: LoadPoint) -> float:
    """The largest relative distance of the middle's P50, P90 and P95 from the line between its neighbours."""
    line = (_judged(low) + _judged(high)) / 2
    seen = _judged(middle)
    return float(np.max(np.abs(seen - line) / np.maximum(np.maximum(seen, line), 1e-9)))


def _judged(point: LoadPoint) -> Floats:
    return np.array([values[i] for values in (point.ttft_s, point.tpot_s, point.e2e_s) for i in _JUDGED])
