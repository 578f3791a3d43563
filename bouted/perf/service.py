"""How one shape served in one window, as gateways or engines measured it."""

from dataclasses import dataclass
from enum import StrEnum

from bouted.perf.profile import QUANTILES


class Statistic(StrEnum):
    """Which middle of the requests: gateways tell the median, engines' histograms the mean."""

    MEDIAN = "median"
    MEAN = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One window of equal replicas. `rate_per_s` is of requests to each replica.

    Lengths are means in tokens; latencies are the `statistic` over `requests` requests, in seconds, None
    where nobody measured it.
    """

    requests: int
    failed: int
    rate_per_s: float
    prompt_tokens: float
    output_tokens: float
    ttft_s: float | None
    tpot_s: float | None
    statistic: Statistic


def middle(quantiles: tuple[float, ...], statistic: Statistic) -> float:
    """The median or the mean of a distribution given at `QUANTILES`."""
    if statistic is Statistic.MEDIAN:
        return quantiles[QUANTILES.index(0.5)]
    return sum(
        (QUANTILES[i + 1] - QUANTILES[i]) * (quantiles[i] + quantiles[i + 1]) / 2
        for i in range(len(QUANTILES) - 1)
    )
