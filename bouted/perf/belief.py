"""What is believed of a factor near 1, and how sure: a normal in the logarithm, taught one reading at a time.

It forgets: without readings the belief goes back to the prior with a half-life. A reading far off is kept
aside, and believed only when the next one agrees: one bad reading changes nothing, a real change is followed
at the second.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from math import exp, log, sqrt

TENTH = 1.2816  # the normal's 90 % quantile, in standard deviations
FAR = 3.0  # standard deviations
ONCE_AT_MOST = 10.0  # half-lives after which nothing is left worth computing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The logarithm of a factor as one window showed it, and the variance of its noise."""

    log: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """The logarithm's mean and variance as of `at`; `aside` is a reading far off that waits for a second."""

    log: float
    variance: float
    at: datetime
    aside: Reading | None = None

    @property
    def factor(self) -> float:
        """The factor believed."""
        return exp(self.log)

    @property
    def deviation(self) -> float:
        """Standard deviation of the logarithm."""
        return sqrt(self.variance)


def variance_of(spread: float) -> float:
    """The variance whose 10-90 % interval has this relative half-width."""
    return (log(1 + spread) / TENTH) ** 2


def spread_of(variance: float) -> float:
    """The relative half-width of the 10-90 % interval of a factor."""
    return exp(TENTH * sqrt(variance)) - 1


def unlearned(prior_variance: float, now: datetime) -> Belief:
    """Nothing but the prior: a factor of 1."""
    return Belief(log=0.0, variance=prior_variance, at=now)


def aged(belief: Belief, prior_variance: float, now: datetime, half_life_s: float) -> Belief:
    """`belief` as of `now`: less sure, and nearer to the prior."""
    lives = min(max(0.0, (now - belief.at).total_seconds()) / half_life_s, ONCE_AT_MOST)
    kept = 0.5**lives
    variance = prior_variance + (belief.variance - prior_variance) * kept**2
    return replace(belief, log=belief.log * kept, variance=variance, at=max(now, belief.at))


def taught(
    belief: Belief, prior_variance: float, reading: Reading, now: datetime, half_life_s: float
) -> Belief:
    """`belief` after one more reading."""
    before = aged(belief, prior_variance, now, half_life_s)
    if not _far(reading, before.log, before.variance):
        return replace(_mixed(before, reading), aside=None)
    first = belief.aside
    if first is None or _far(reading, first.log, first.variance):
        return replace(before, aside=reading)
    anew = replace(before, variance=prior_variance, aside=None)
    return _mixed(_mixed(anew, first), reading)


def _mixed(belief: Belief, reading: Reading) -> Belief:
    gain = belief.variance / (belief.variance + reading.variance)
    return replace(
        belief,
        log=belief.log + gain * (reading.log - belief.log),
        variance=(1 - gain) * belief.variance,
    )


def _far(reading: Reading, mean: float, variance: float) -> bool:
    return abs(reading.log - mean) > FAR * sqrt(variance + reading.variance)
