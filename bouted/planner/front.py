"""The front: feasible designs that no other beats on cost, latency and quality. And the least bad one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import Metric
from bouted.planner.classes import classes_shortfall
from bouted.planner.design import ScoredDesign
from bouted.planner.judge import PLACES
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]


def front(scored: Iterable[ScoredDesign], metric: Metric) -> tuple[ScoredDesign, ...]:
    """The feasible designs that none beats on $/h, P95 of `metric` and low quality; cheapest first.

    Of designs equal in all three the first given is kept.
    """
    feasible = [item for item in scored if not item.violated]
    values = np.array([_values(item, metric) for item in feasible]).reshape(len(feasible), 3)
    found = [feasible[i] for i in _unbeaten(values)]
    return tuple(sorted(found, key=lambda item: (item.design.usd_per_hour, item.estimate.p95_s(metric))))


def shortfall(problem: PlanningProblem, scored: ScoredDesign) -> float:
    """How far a design is from the floor and the P95 targets, as shares of them, added up.

    A broken budget does not count; too little capacity for the high end of the load, and each broken rule on
    where nodes stand, count 1.
    """
    estimate, targets = scored.estimate, problem.targets
    total = float(sum(name in scored.violated for name in ("capacity", *PLACES)))
    if targets.quality_min > 0:
        total += max(0.0, 1 - estimate.quality_low / targets.quality_min)
    for metric in Metric:
        limit = targets.of(metric)
        if limit is not None:
            total += max(0.0, estimate.p95_s(metric) / limit - 1)
    return total + classes_shortfall(targets, estimate)


def nearest(problem: PlanningProblem, scored: Iterable[ScoredDesign]) -> ScoredDesign | None:
    """The design closest to the floor and the targets, whatever it costs; the cheapest of equals."""
    return min(
        scored,
        key=lambda item: (round(shortfall(problem, item), 6), item.design.usd_per_hour),
        default=None,
    )


def with_bound(scored: ScoredDesign, bound: float) -> ScoredDesign:
    """The same design, its estimate naming the least that any design could cost by the profiles."""
    return replace(scored, estimate=replace(scored.estimate, bound_usd_per_hour=bound))


def unbeaten(values: Floats) -> Floats:
    """The rows of `designs x 3` ($/h, P95, low quality) that no other beats; of equal ones the first."""
    kept = _unbeaten(values * np.array([1.0, 1.0, -1.0]))
    return values[kept]


def _values(scored: ScoredDesign, metric: Metric) -> Sequence[float]:
    """Less is better in each."""
    estimate = scored.estimate
    return float(estimate.usd_per_hour), estimate.p95_s(metric), -estimate.quality_low


def _unbeaten(values: Floats) -> list[int]:
    """Rows that no other beats, in their order. By rising cost, each need only be held against those kept."""
    kept: list[int] = []
    best = np.empty((len(values), 2))
    for i in np.lexsort((np.arange(len(values)), values[:, 2], values[:, 1], values[:, 0])):
        if not np.any(np.all(best[: len(kept)] <= values[i, 1:], axis=1)):
            best[len(kept)] = values[i, 1:]
            kept.append(int(i))
    return sorted(kept)
