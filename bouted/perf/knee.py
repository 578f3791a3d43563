"""The rate above which a replica's queue only grows, found by bisection."""

from collections.abc import Callable

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.mix import RequestMix

CYCLES = 12  # of requests that a rate is tried with
LEFT_BEHIND = 0.03  # share of arrivals that may be left undone while more come in
PRECISION = 0.01  # of the rate found
NEAR = 1.1  # by so much the first guess may be off

_FLOOD_PER_S = 1e6
_FLOOD_CYCLES = 4


def knee_per_s(costs: StepCosts, mix: RequestMix) -> float:
    """The highest offered rate, in requests/s, at which the engine keeps pace; within 1 %.

    Keeping pace means that over the second half of the run the work left behind grows by less than 3 % of
    what arrives.
    """
    return highest(lambda rate: keeps_pace(costs, mix, rate), start=_flooded_per_s(costs, mix), step=NEAR)


def keeps_pace(costs: StepCosts, mix: RequestMix, rate_per_s: float) -> bool:
    """Whether the engine's backlog stays bounded at this rate."""
    times = mix.arrivals_s(rate_per_s, CYCLES)
    ends = times + mix.run(costs, rate_per_s, CYCLES).e2e_s
    half, last = len(times) // 2, len(times) - 1
    done = np.searchsorted(np.sort(ends), (times[half], times[last]), side="right")
    return bool((last - half) - (done[1] - done[0]) <= LEFT_BEHIND * (last - half))


def highest(
    holds: Callable[[float], bool], *, start: float, most: float = np.inf, step: float = 2.0
) -> float:
    """The highest rate up to `most` at which `holds`, within 1 %; 0 when it holds at none worth having.

    `holds` is true up to some rate and false beyond. The search goes away from `start` by steps that grow
    from a factor of `step`, then bisects. ValueError when it holds at a million times `start` and there is no
    `most`.
    """
    low, high = 0.0, min(start, most)
    while holds(high):
        low = high
        if low >= most:
            return most
        if high > 1e6 * start:
            raise ValueError(f"no rate up to {high:g}/s is too high")
        high, step = min(step * high, most), step**1.5
    while low == 0.0 and high > start / 2**10:
        lower, step = high / step, step**1.5
        if holds(lower):
            low = lower
        else:
            high = lower
    while low and high - low > PRECISION * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _flooded_per_s(costs: StepCosts, mix: RequestMix) -> float:
    """Requests/s that leave an engine whose queue is never empty: a guess at the knee.

    Where so many fit at once that the middle half of them leaves in one step, it is told from all.
    """
    ends = np.sort(
        mix.arrivals_s(_FLOOD_PER_S, _FLOOD_CYCLES) + mix.run(costs, _FLOOD_PER_S, _FLOOD_CYCLES).e2e_s
    )
    first, last = len(ends) // 4, len(ends) * 3 // 4
    took_s = ends[last] - ends[first]
    return float((last - first) / took_s if took_s > 0 else len(ends) / ends[-1])
