"""What a good request keeps to."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import Metric
from bouted.perf.simulate import RequestTimes

Kept = npt.NDArray[np.bool_]


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

    def kept(self, times: RequestTimes) -> dict[Metric, Kept]:
        """For each limit, which requests keep to it."""
        seconds = {Metric.TTFT: times.ttft_s, Metric.TPOT: times.tpot_s, Metric.E2E: times.e2e_s}
        return {metric: np.asarray(seconds[metric] <= limit) for metric, limit in self.limits.items()}
