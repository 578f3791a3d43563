"""Tails of a whole fleet: per-replica latencies, mixed in proportion to the queries each replica serves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import QUANTILES, Metric, ProfileTable
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design
from bouted.planner.sharing import replica_counts, shared
from bouted.workload.profile import WorkloadProfile

Floats = npt.NDArray[np.float64]

LEVELS = np.array(QUANTILES)
# A request that no replica can hold, or that waits past this, counts as this long.
FOREVER_S = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaLoad:
    """Equal replicas of one shape: how many, the requests/s each serves, and the most each could."""

    shape_id: str
    model: str
    count: int
    rate_per_s: float
    max_rate_per_s: float


def replica_loads(
    design: Design, workload: WorkloadProfile, capacities: Capacities
) -> tuple[ReplicaLoad, ...]:
    """What every replica of the fleet serves at the expected load; replicas share as `weights` says.

    A model with a share but no replica is missing from the answer.
    """
    counts = replica_counts(design)
    share_of = shared(counts, design, workload, capacities)
    loads: list[ReplicaLoad] = []
    for item, of_model in zip(design.shares, counts, strict=True):
        whole = sum(share_of[shape_id] * n for shape_id, n in of_model.items())
        for shape_id, n in of_model.items():
            loads.append(
                ReplicaLoad(
                    shape_id=shape_id,
                    model=item.model,
                    count=n,
                    rate_per_s=item.share * workload.rate_per_s * share_of[shape_id] / whole,
                    max_rate_per_s=capacities.max_rate(shape_id),
                )
            )
    return tuple(loads)


class MixedTails:
    """P95 over all queries of a fleet, from the profiles of its replicas."""

    def __init__(self, profiles: ProfileTable) -> None:
        self._rates = {
            p.shape.id: np.array([point.rate_per_s for point in p.points]) for p in profiles.profiles
        }
        self._seconds = {
            (p.shape.id, metric): capped_s(np.array([point.of(metric) for point in p.points]))
            for p in profiles.profiles
            for metric in Metric
        }

    def p95_s(self, metric: Metric, loads: Sequence[ReplicaLoad]) -> float:
        """Seconds within which 95 % of the fleet's queries fall, if each replica behaves as its profile.

        With nothing that serves, `FOREVER_S`.
        """
        busy = [load for load in loads if load.rate_per_s > 0]
        if not busy:
            return FOREVER_S
        seconds = np.stack([self._quantiles(load.shape_id, metric, load.rate_per_s) for load in busy])
        weights = np.array([load.count * load.rate_per_s for load in busy])
        return mixed_quantile(seconds, weights / weights.sum(), 0.95)

    def _quantiles(self, shape_id: str, metric: Metric, rate_per_s: float) -> Floats:
        rates, seconds = self._rates[shape_id], self._seconds[shape_id, metric]
        right = int(np.searchsorted(rates, rate_per_s))
        if right == 0 or right == len(rates):
            return np.asarray(seconds[min(right, len(rates) - 1)])
        part = (rate_per_s - rates[right - 1]) / (rates[right] - rates[right - 1])
        return np.asarray(seconds[right - 1] + part * (seconds[right] - seconds[right - 1]))


def capped_s(seconds: Floats) -> Floats:
    """The same seconds, `FOREVER_S` at most; what is not a number is as bad as it can be."""
    return np.minimum(np.nan_to_num(seconds, nan=FOREVER_S, posinf=FOREVER_S), FOREVER_S)


def mixed_quantile(seconds: Floats, weights: Floats, level: float) -> float:
    """The `level` quantile of a mixture of distributions.

    `seconds` is each part's quantiles at `QUANTILES` (`parts x levels`), `weights` sum to 1. Between its
    quantiles a part is spread evenly, so the mixture's distribution function is exact at every breakpoint
    and linear between them.
    """
    at = np.unique(seconds)
    below = sum(
        weight * np.interp(at, part, LEVELS, left=0.0, right=1.0)
        for part, weight in zip(seconds, weights, strict=True)
    )
    return float(np.interp(level, below, at))
