"""How much load one replica may carry while its tail stays within the targets."""

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import QUANTILES, Metric, Profile, ProfileTable
from bouted.planner.problem import Targets

Floats = npt.NDArray[np.float64]

P95 = QUANTILES.index(0.95)

# The search asks for latency within factor x target; one grid of factors makes look-ups repeat.
TIGHTEST, LOOSEST, FACTOR_STEP = 0.3, 1.2, 0.05


def snap_factor(factor: float) -> float:
    """`factor` on the grid of factors the search uses."""
    steps = round((min(max(factor, TIGHTEST), LOOSEST) - TIGHTEST) / FACTOR_STEP)
    return round(TIGHTEST + steps * FACTOR_STEP, 4)


class Capacities:
    """The highest rate each shape may carry, by how much of the latency targets it may use.

    Tails are made monotone in load first, so noise in a measured profile never buys capacity.
    """

    def __init__(self, profiles: ProfileTable, targets: Targets) -> None:
        self._limits = {metric: limit for metric in Metric if (limit := targets.of(metric)) is not None}
        self._rates = {p.shape.id: _rates(p) for p in profiles.profiles}
        self._tails = {
            p.shape.id: {metric: _tail(p, metric) for metric in self._limits} for p in profiles.profiles
        }
        self._found: dict[tuple[str, float], float] = {}

    def rate(self, shape_id: str, factor: float) -> float:
        """Requests/s at which every targeted P95 is at most `factor` x its target; 0 if not even idle."""
        key = (shape_id, factor)
        if key not in self._found:
            self._found[key] = self._measure(shape_id, factor)
        return self._found[key]

    def max_rate(self, shape_id: str) -> float:
        """Requests/s at which the queue is still bounded."""
        return float(self._rates[shape_id][-1])

    def weight(self, shape_id: str) -> float:
        """What a replica's share of its model's queries is proportional to, so that tails are alike."""
        return self.rate(shape_id, 1.0) or self.rate(shape_id, LOOSEST) or self.max_rate(shape_id)

    def _measure(self, shape_id: str, factor: float) -> float:
        rates = self._rates[shape_id]
        found = float(rates[-1])
        for metric, limit in self._limits.items():
            tail = self._tails[shape_id][metric]
            if tail[0] > factor * limit:
                return 0.0
            found = min(found, float(np.interp(factor * limit, tail, rates)))
        return found


def _rates(profile: Profile) -> Floats:
    return np.array([point.rate_per_s for point in profile.points])


def _tail(profile: Profile, metric: Metric) -> Floats:
    return np.maximum.accumulate([point.of(metric)[P95] for point in profile.points])
