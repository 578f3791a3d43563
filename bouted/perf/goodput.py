"""The highest rate at which a replica still meets an SLO."""

from dataclasses import dataclass

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Floats
from bouted.perf.knee import highest, keeps_pace
from bouted.perf.loads import cycles_at
from bouted.perf.mix import MOST_CYCLES, RequestMix
from bouted.perf.profile import QUANTILES, Metric, Profile
from bouted.perf.simulate import RequestTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Limits in seconds, None where there is none, and the share of requests that must keep to them.

    `together` counts requests that keep to all limits at once; without it each limit is judged alone, which
    is what "P95 TTFT and P95 TPOT" means.
    """

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None
    share: float = 0.95
    together: bool = False

    @property
    def limits(self) -> dict[Metric, float]:
        """The limits that are set."""
        named = {Metric.TTFT: self.ttft_s, Metric.TPOT: self.tpot_s, Metric.E2E: self.e2e_s}
        return {metric: limit for metric, limit in named.items() if limit is not None}


def goodput_per_s(costs: StepCosts, mix: RequestMix, slo: Slo, knee_per_s: float) -> float:
    """Requests/s up to which the SLO holds, by bisection; 0 when it does not hold for one request alone.

    Never above the knee: a queue that grows meets an SLO only while the run is short.
    """

    def holds(rate: float) -> bool:
        cycles = min(MOST_CYCLES, cycles_at(rate / knee_per_s))
        return _meets(mix, mix.run(costs, rate, cycles), cycles, slo) and keeps_pace(costs, mix, rate)

    return highest(holds, start=knee_per_s / 8, most=knee_per_s)


def goodput_in(profile: Profile, slo: Slo) -> float:
    """Requests/s up to which each limit of the SLO holds alone, read off the profile; 0 when at none.

    ValueError for an SLO whose limits must hold together: a profile keeps each latency by itself.
    """
    if slo.together:
        raise ValueError("a profile cannot tell how often limits hold together; use goodput_per_s")
    rates = np.array([point.rate_per_s for point in profile.points])
    found = float(rates[-1])
    for metric, limit in slo.limits.items():
        seconds = [float(np.interp(slo.share, QUANTILES, point.of(metric))) for point in profile.points]
        tail = np.maximum.accumulate(seconds)
        if tail[0] > limit:
            return 0.0
        found = min(found, float(np.interp(limit, tail, rates)))
    return found


def _meets(mix: RequestMix, seen: RequestTimes, cycles: int, slo: Slo) -> bool:
    times = {Metric.TTFT: seen.ttft_s, Metric.TPOT: seen.tpot_s, Metric.E2E: seen.e2e_s}
    kept = [_kept(mix, times[metric], cycles, limit) for metric, limit in slo.limits.items()]
    if not kept:
        return True
    if slo.together:
        return bool(np.logical_and.reduce(kept).mean() >= slo.share)
    return all(bool(one.mean() >= slo.share) for one in kept)


def _kept(
    mix: RequestMix, values: Floats, cycles: int, limit: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(mix.settled(values, cycles) <= limit)
