"""The rate above which a replica's queue only grows, found by bisection."""

from collections.abc import Callable

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.mix import RequestMix

CYCLES = 12  # of requests that a rate is tried with
LEFT_BEHIND = 0.03  # share of arrivals that may be left undone while more come in
PRECISION = 0.01  # of the rate found


def knee_per_s(costs: StepCosts, mix: RequestMix) -> float:
    """The highest offered rate, in requests/s, at which the engine keeps pace; within 1 %.

    Keeping pace means that over the second half of the run the work left behind grows by less than 3 % of
    what arrives.
    """
    alone = mix.run(costs, 1e-6, 1).e2e_s.mean()
    return highest(lambda rate: keeps_pace(costs, mix, rate), start=1 / float(alone))


def keeps_pace(costs: StepCosts, mix: RequestMix, rate_per_s: float) -> bool:
    """Whether the engine's backlog stays bounded at this rate."""
    times = mix.arrivals_s(rate_per_s, CYCLES)
    ends = times + mix.run(costs, rate_per_s, CYCLES).e2e_s
    half, last = len(times) // 2, len(times) - 1
    done = np.searchsorted(np.sort(ends), (times[half], times[last]), side="right")
    return bool((last - half) - (done[1] - done[0]) <= LEFT_BEHIND * (last - half))


def highest(holds: Callable[[float], bool], *, start: float, most: float = np.inf) -> float:
    """The highest rate up to `most` at which `holds`, within 1 %; 0 when it holds at none worth having.

    `holds` is true up to some rate and false beyond. The search doubles or halves away from `start`, then
    bisects. ValueError when it holds for every rate up to a million times `start` and there is no `most`.
    """
    low, high = 0.0, min(start, most)
    for _ in range(20):
        if not holds(high):
            break
        low = high
        if low >= most:
            return most
        high = min(2 * high, most)
    else:
        raise ValueError(f"no rate up to {high:g}/s is too high")
    while low == 0.0 and high > start / 2**10:
        if holds(high / 2):
            low = high / 2
        else:
            high /= 2
    while low and high - low > PRECISION * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
