"""The continuous half of planning: split, latency per model, headroom, spot; as points of a unit cube."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from bouted.planner.capacity import LOOSEST, TIGHTEST, snap_factor
from bouted.planner.inside import Ask
from bouted.planner.problem import PlanningProblem
from bouted.planner.splits import FloorSplits, on_simplex

Floats = npt.NDArray[np.float64]

MOST_HEADROOM = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """Maps points of a unit cube to asks, so that any sampler or optimiser can move in it.

    Coordinates: direction of the split (M - 1), distance from the quality floor, common latency factor,
    its deviation per model (M), headroom, spot share, and whether switching costs count.
    Low coordinates are cheap: on the floor, loosest latency, no headroom, all the spot allowed.
    """

    models: int
    splits: FloorSplits
    headroom: float
    spot_share: float
    has_incumbent: bool

    @property
    def dimensions(self) -> int:
        """Length of a point."""
        return 2 * self.models + 4

    def sobol(self, n: int, seed: int) -> Floats:
        """The first `n` points of a scrambled Sobol sequence."""
        power = max(1, int(np.ceil(np.log2(max(n, 2)))))
        return np.asarray(qmc.Sobol(self.dimensions, scramble=True, rng=seed).random_base2(power)[:n])

    def plain(self, points: Floats) -> Floats:
        """The same directions on the floor, exactly at the targets, without headroom."""
        found = np.zeros_like(points)
        found[:, : self.models - 1] = points[:, : self.models - 1]
        found[:, self.models] = _common_of(1.0)
        found[:, self.models + 1 : 2 * self.models + 1] = 0.5
        return found

    def corners(self) -> Floats:
        """Toward each model alone: on the floor, half way, at the best split; at the targets and looser."""
        found: list[Floats] = []
        for model in range(self.models):
            for slack in (0.0, 0.5, 1.0):
                for factor in (1.0, LOOSEST):
                    point = np.zeros(self.dimensions)
                    point[model : self.models - 1] = 1.0
                    point[self.models - 1] = 0.5 + np.sqrt(slack) / 2
                    point[self.models] = _common_of(factor)
                    point[self.models + 1 : 2 * self.models + 1] = 0.5
                    found.append(point)
        return np.array(found)

    def grid(self, slacks: int, factors: int) -> Floats:
        """Every slack with every common factor, on both sides of the best split: all there is for two."""
        sides = [0.0, 1.0] if self.models == 2 else [0.5]
        found: list[Floats] = []
        for side in sides:
            for slack in np.linspace(0, 1, slacks):
                for factor in np.linspace(TIGHTEST, LOOSEST, factors)[::-1]:
                    point = np.full(self.dimensions, 0.0)
                    point[: self.models - 1] = side
                    point[self.models - 1] = 0.5 + slack / 2
                    point[self.models] = _common_of(float(factor))
                    point[self.models + 1 : 2 * self.models + 1] = 0.5
                    found.append(point)
        return np.array(found)

    def point(self, shares: Floats, factors: tuple[float, ...]) -> Floats:
        """The point of a split that meets the floor, at these latency factors, without headroom."""
        m, common = self.models, float(np.mean(factors))
        found = np.zeros(self.dimensions)
        found[: m - 1] = np.cumsum(shares)[:-1]
        found[m - 1] = 0.5 + np.sqrt(self.splits.slack(shares)) / 2
        found[m] = _common_of(common)
        found[m + 1 : 2 * m + 1] = np.clip(0.5 + (np.array(factors) - common) / 0.3, 0.0, 1.0)
        return found

    def near(self, parents: Floats, n: int, step: float, rng: np.random.Generator) -> Floats:
        """`n` points around the parents in turn. Each coordinate moves with odds of one half."""
        chosen = parents[np.arange(n) % len(parents)]
        moves = rng.normal(0.0, step, chosen.shape) * (rng.random(chosen.shape) < 0.5)
        found = np.clip(chosen + moves, 0.0, 1.0)
        found[:, -1] = np.where(rng.random(n) < 0.25, 1 - chosen[:, -1], chosen[:, -1])
        return found

    def asks(self, points: Floats) -> tuple[Ask, ...]:
        """What each point asks of the fleet."""
        m = self.models
        directions = on_simplex(points[:, : m - 1])
        splits = self.splits.toward(directions, np.maximum(0.0, 2 * points[:, m - 1] - 1) ** 2)
        common = LOOSEST - (LOOSEST - TIGHTEST) * points[:, m] ** 2
        factors = common[:, None] + 0.3 * (points[:, m + 1 : 2 * m + 1] - 0.5)
        headroom = self.headroom * np.maximum(0.0, points[:, -3] - 0.4) ** 2 / 0.36
        spot = self.spot_share * np.minimum(1.0, 1.3 * (1 - points[:, -2]))
        return tuple(
            Ask(
                shares=tuple(float(x) for x in splits[i]),
                factors=tuple(snap_factor(float(x)) for x in factors[i]),
                headroom=round(float(headroom[i]) / 0.025) * 0.025,
                spot_share=min(self.spot_share, round(float(spot[i]), 1)),
                switching=self.has_incumbent and bool(points[i, -1] >= 0.5),
            )
            for i in range(len(points))
        )


def cube(problem: PlanningProblem, splits: FloorSplits) -> Cube:
    """The search space of a problem."""
    surge = problem.workload.rate_high_per_s / problem.workload.rate_per_s - 1
    return Cube(
        models=len(problem.models),
        splits=splits,
        headroom=max(MOST_HEADROOM, surge),
        spot_share=problem.spot.max_share,
        has_incumbent=problem.incumbent is not None,
    )


def _common_of(factor: float) -> float:
    """The coordinate of a common latency factor."""
    return float(np.sqrt((LOOSEST - factor) / (LOOSEST - TIGHTEST)))
