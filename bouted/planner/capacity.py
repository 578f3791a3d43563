"""How much load one replica may carry while its tail stays within the targets."""

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import QUANTILES, Metric, Profile, ProfileTable
from bouted.planner.classes import ClassTails
from bouted.planner.goals import Targets
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]

P95 = QUANTILES.index(0.95)

# The search asks for latency within factor x target; one grid of factors makes look-ups repeat.
TIGHTEST, LOOSEST, FACTOR_STEP = 0.3, 1.2, 0.05
# Shares of the targets at which a replica's rates are known for sharing load.
SHARES_OF_TARGET = np.linspace(0.02, 1.0, 50)


def snap_factor(factor: float) -> float:
    """`factor` on the grid of factors the search uses."""
    steps = round((min(max(factor, TIGHTEST), LOOSEST) - TIGHTEST) / FACTOR_STEP)
    return round(TIGHTEST + steps * FACTOR_STEP, 4)


def capacities_of(problem: PlanningProblem) -> "Capacities":
    """Capacities under all targets of the problem, those of classes among them."""
    return Capacities(problem.profiles, problem.targets, ClassTails(problem))


class Capacities:
    """The highest rate each shape may carry, by how much of the latency targets it may use.

    Tails are made monotone in load first, so noise in a measured profile never buys capacity. Targets of
    classes count where `classes` is given.
    """

    def __init__(self, profiles: ProfileTable, targets: Targets, classes: ClassTails | None = None) -> None:
        self._profiles = profiles.by_shape
        self._targets = targets
        self._classes = classes
        self._limits: dict[str, tuple[tuple[Floats, float], ...]] = {}
        self._found: dict[tuple[str, float], float] = {}
        self._curves: dict[str, Floats] = {}

    def rate(self, shape_id: str, factor: float) -> float:
        """Requests/s at which every targeted P95 is at most `factor` x its target; 0 if not even idle."""
        key = (shape_id, factor)
        if key not in self._found:
            self._found[key] = self._measure(shape_id, factor)
        return self._found[key]

    def curve(self, shape_id: str) -> Floats:
        """The rates at each of `SHARES_OF_TARGET`; they ascend."""
        if shape_id not in self._curves:
            rates = [self.rate(shape_id, float(factor)) for factor in SHARES_OF_TARGET]
            self._curves[shape_id] = np.array(rates)
        return self._curves[shape_id]

    def max_rate(self, shape_id: str) -> float:
        """Requests/s at which the queue is still bounded."""
        return self._profiles[shape_id].max_rate_per_s

    def weight(self, shape_id: str) -> float:
        """What a replica carries at the targets; at least what it could where it never meets them."""
        return self.rate(shape_id, 1.0) or self.rate(shape_id, LOOSEST) or self.max_rate(shape_id)

    def _measure(self, shape_id: str, factor: float) -> float:
        rates = np.array([point.rate_per_s for point in self._profiles[shape_id].points])
        found = float(rates[-1])
        for tail, limit in self._limits_of(shape_id):
            if tail[0] > factor * limit:
                return 0.0
            found = min(found, float(np.interp(factor * limit, tail, rates)))
        return found

    def _limits_of(self, shape_id: str) -> tuple[tuple[Floats, float], ...]:
        """Per target: seconds of P95 at each rate of the profile, ascending, and the limit."""
        if shape_id not in self._limits:
            profile = self._profiles[shape_id]
            limits = ((metric, self._targets.of(metric)) for metric in Metric)
            own = [(_tail(profile, metric), limit) for metric, limit in limits if limit is not None]
            of_classes = self._classes.tails(shape_id) if self._classes else ()
            self._limits[shape_id] = tuple(
                (np.maximum.accumulate(tail), limit) for tail, limit in (*own, *of_classes)
            )
        return self._limits[shape_id]


def _tail(profile: Profile, metric: Metric) -> Floats:
    return np.array([point.of(metric)[P95] for point in profile.points])
