"""The highest rate at which a replica still meets an SLO."""

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.knee import highest, keeps_pace
from bouted.perf.loads import cycles_at
from bouted.perf.mix import MOST_CYCLES, RequestMix
from bouted.perf.profile import QUANTILES, Profile
from bouted.perf.simulate import RequestTimes
from bouted.perf.slo import Slo


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
    kept = [mix.settled(one, cycles) for one in slo.kept(seen).values()]
    if slo.together and kept:
        kept = [np.logical_and.reduce(kept)]
    return all(bool(one.mean() >= slo.share) for one in kept)
