"""How good a design is by the rule the config names. Lower is better."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bouted.planner.design import ScoredDesign
from bouted.planner.goals import Preference, Rule
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem

from .select_move import kept_nodes

# Designs this close are as good as equal: then the one that keeps more running nodes wins.
AS_GOOD = 0.01
# The part of the sum in the augmented Chebyshev score: enough to tell equals apart.
SUM_PART = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """How far a design is from the best cost, latency and quality on offer: 0 the best, 1 the worst."""

    cost: float
    latency: float
    quality: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.cost + self.latency + self.quality


def preferred(
    designs: Sequence[ScoredDesign], running: Sequence[PlannedNode], problem: PlanningProblem
) -> ScoredDesign:
    """The best by the rule. Of those within 1 % of it: the one that keeps most running nodes, then the
    fastest where the rule looks at cost alone, else the cheapest."""
    values = scores(designs, problem)
    least = min(values)
    relative = problem.preference.rule in (Rule.CHEAPEST, Rule.FASTEST)
    most = least * (1 + AS_GOOD) if relative else least + AS_GOOD
    close = [item for item, value in zip(designs, values, strict=True) if value <= most]
    return min(close, key=lambda item: (-kept_nodes(item.design, running), _then(item, problem)))


def scores(
    designs: Sequence[ScoredDesign], problem: PlanningProblem, extra_usd: Sequence[Decimal] | None = None
) -> tuple[float, ...]:
    """Each design's figure by the rule: $/h, seconds of P95, or a loss over these designs.

    `extra_usd` is what each costs an hour beyond its nodes; it does not widen the range. Knee: the sum of
    the three losses, least where the front is furthest from the plane (with two objectives, the chord)
    between its ends: Das 1999, "On characterizing the knee of the Pareto curve". Preference: the largest
    weighted loss, plus a twentieth of their sum: the augmented Chebyshev norm of Steuer and Choo 1983,
    which, unlike a weighted sum, can pick any design of the front.
    """
    extra = extra_usd or [Decimal(0)] * len(designs)
    usd = [float(item.design.usd_per_hour) for item in designs]
    p95 = [item.estimate.p95_s(problem.targets.objective) for item in designs]
    if problem.preference.rule is Rule.CHEAPEST:
        return tuple(plain + float(more) for plain, more in zip(usd, extra, strict=True))
    if problem.preference.rule is Rule.FASTEST:
        return tuple(p95)
    found = [
        replace(loss, cost=loss.cost + float(more) / ((max(usd) - min(usd)) or max(*usd, 0.01)))
        for loss, more in zip(
            losses(usd, p95, [item.estimate.quality_low for item in designs]), extra, strict=True
        )
    ]
    if problem.preference.rule is Rule.KNEE:
        return tuple(loss.total for loss in found)
    return tuple(_weighted(loss, problem.preference) for loss in found)


def losses(usd: Sequence[float], p95_s: Sequence[float], quality: Sequence[float]) -> tuple[Losses, ...]:
    """Per design its losses, each as a share of the range that the designs span."""
    columns = (_normal(usd), _normal(p95_s), _normal([-value for value in quality]))
    return tuple(Losses(cost=c, latency=p, quality=q) for c, p, q in zip(*columns, strict=True))


def _normal(values: Sequence[float]) -> list[float]:
    low, width = min(values), max(values) - min(values)
    return [(value - low) / width if width > 0 else 0.0 for value in values]


def _weighted(loss: Losses, weights: Preference) -> float:
    parts = (weights.cost * loss.cost, weights.latency * loss.latency, weights.quality * loss.quality)
    total = weights.cost + weights.latency + weights.quality
    return (max(parts) + SUM_PART * sum(parts)) / total if total > 0 else 0.0


def _then(item: ScoredDesign, problem: PlanningProblem) -> tuple[float, float]:
    usd, p95 = float(item.design.usd_per_hour), item.estimate.p95_s(problem.targets.objective)
    return (p95, usd) if problem.preference.rule is Rule.CHEAPEST else (usd, p95)
