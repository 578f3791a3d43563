"""What a searcher saw and when, and how much of what is acceptable its designs dominate by then."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from planner_volume import hypervolume, non_dominated

from bouted.planner.design import ScoredDesign
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]

CLOSE = 1.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One judgement of the dear judge: when, in seconds since the run began, and what it said."""

    at_s: float
    usd_per_hour: float
    p95_s: float
    quality_low: float
    feasible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What is acceptable: $/h up to the budget, P95 up to the target, quality from the floor to the best."""

    budget_usd_per_hour: float
    target_p95_s: float
    floor: float
    best: float

    def scaled(self, usd_per_hour: float, p95_s: float, quality_low: float) -> tuple[float, float, float]:
        """Each objective as a share of its range; less is better, 1 is the worst acceptable."""
        range_ = max(self.best - self.floor, 1e-9)
        worse = (self.best - quality_low) / range_
        return usd_per_hour / self.budget_usd_per_hour, p95_s / self.target_p95_s, worse

    def points(self, seen: Iterable[Seen]) -> Floats:
        """The feasible ones scaled, `n x 3`. The floor itself is just within the range."""
        rows = [self.scaled(s.usd_per_hour, s.p95_s, s.quality_low) for s in seen if s.feasible]
        return np.array(rows, dtype=np.float64).reshape(-1, 3)

    def volume(self, seen: Iterable[Seen]) -> float:
        """The share of what is acceptable that the feasible ones dominate."""
        return hypervolume(self.points(seen))

    def front(self, seen: Iterable[Seen]) -> Floats:
        """The feasible ones that no other beats, scaled."""
        return non_dominated(self.points(seen))


def by(seen: Iterable[Seen], seconds: float) -> tuple[Seen, ...]:
    """What had been seen that long after the start."""
    return tuple(item for item in seen if item.at_s <= seconds)


def cheapest(seen: Iterable[Seen]) -> float | None:
    """The least $/h of the feasible ones."""
    return min((item.usd_per_hour for item in seen if item.feasible), default=None)


def first_within(seen: Iterable[Seen], best: float | None) -> float | None:
    """When a feasible design within 1 % of `best` $/h was first known; None for never."""
    if best is None:
        return None
    good = (item.at_s for item in seen if item.feasible and item.usd_per_hour <= best * CLOSE)
    return min(good, default=None)


def seen_at(problem: PlanningProblem, scored: ScoredDesign, at_s: float) -> Seen:
    """The judgement as it is kept."""
    estimate = scored.estimate
    return Seen(
        at_s=at_s,
        usd_per_hour=float(scored.design.usd_per_hour),
        p95_s=estimate.p95_s(problem.targets.objective),
        quality_low=estimate.quality_low,
        feasible=not scored.violated,
    )
