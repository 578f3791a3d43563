"""The cheap judge: what the profiles say about a design. And what makes a design break a constraint."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from bouted.market.offers import Market
from bouted.perf.profile import Metric
from bouted.perf.shapes import ReplicaShape
from bouted.planner.capacity import LOOSEST, Capacities
from bouted.planner.classes import violation
from bouted.planner.design import ClassEstimate, Design, Estimate, Judge, ScoredDesign
from bouted.planner.goals import ClassTargets, Targets
from bouted.planner.latency import MixedTails, ReplicaLoad, replica_loads
from bouted.planner.problem import PlanningProblem
from bouted.planner.spread import POOL, ZONE, spread_broken
from bouted.quality.curve import QualityCurve

# Broken when too much of a model would run on capacity that can be taken away.
SPOT = "spot_max_share"
# Rules on where nodes stand.
PLACES = (SPOT, POOL, ZONE)


class DearJudge(Protocol):
    """Judges again, closer to the truth, what the profiles have judged; few designs get that far."""

    def score(self, scored: ScoredDesign) -> ScoredDesign:
        """The same design with a better estimate, and what it breaks by that."""


class ProfilesJudge:
    """Judges designs of one problem by looking replicas up in its profiles."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities, curve: QualityCurve) -> None:
        self._problem = problem
        self._capacities = capacities
        self._curve = curve
        self._tails = MixedTails(problem.profiles)
        self._spreads = {p.shape.id: p.costs.spread for p in problem.profiles.profiles}

    def score(self, design: Design, quality: tuple[float, float] | None = None) -> ScoredDesign | None:
        """The design with its estimate; None when a model has queries but no replica, or an unknown shape.

        `quality` is the split's mean and low, where the caller has them.
        """
        known = all(shape.id in self._spreads for node in design.nodes for shape in node.template.replicas)
        if not known or not serves_every_share(design):
            return None
        loads = replica_loads(design, self._problem.workload, self._capacities)
        mean, low = quality or self.quality(design)
        estimate = Estimate(
            usd_per_hour=design.usd_per_hour,
            ttft_p95_s=self._tails.p95_s(Metric.TTFT, loads),
            tpot_p95_s=self._tails.p95_s(Metric.TPOT, loads),
            e2e_p95_s=self._tails.p95_s(Metric.E2E, loads),
            quality=mean,
            quality_low=low,
            bound_usd_per_hour=0.0,
            judge=Judge.PROFILES,
            spread=self.spread(loads),
        )
        broken = (*violations(self._problem, estimate, loads), *self.rules_broken(design))
        return ScoredDesign(design=design, estimate=estimate, violated=broken)

    def rules_broken(self, design: Design) -> tuple[str, ...]:
        """Names of the rules on where nodes stand that the design breaks, however fast it is."""
        spot = () if self._on_steady_ground(design) else (SPOT,)
        return (*spot, *spread_broken(self._problem, design, self._at_most))

    def _on_steady_ground(self, design: Design) -> bool:
        """Whether nodes that cannot be taken away carry what spot may not, of each model."""
        steady = {item.model: 0.0 for item in design.shares}
        for node in design.nodes:
            if node.offer.market is not Market.SPOT:
                for shape in node.template.replicas:
                    steady[shape.model] += self._at_most(shape)
        rate = (1 - self._problem.spot.max_share) * self._problem.workload.rate_per_s
        return all(steady[item.model] >= rate * item.share * (1 - 1e-6) for item in design.shares)

    def _at_most(self, shape: ReplicaShape) -> float:
        """The requests/s that rules on places count a replica as."""
        return self._capacities.rate(shape.id, LOOSEST)

    def quality(self, design: Design) -> tuple[float, float]:
        """Mean and low quality of the design's split."""
        mean, low = self._curve.mean_low([item.share for item in design.shares])[0]
        return float(mean), float(low)

    def spread(self, loads: Sequence[ReplicaLoad]) -> float:
        """How unsure the step costs are, over all queries: errors are taken to go the same way."""
        served = sum(load.count * load.rate_per_s for load in loads)
        if served <= 0:
            return 0.0
        return sum(load.count * load.rate_per_s * self._spreads[load.shape_id] for load in loads) / served


def serves_every_share(design: Design) -> bool:
    """Whether each model that gets queries has a replica."""
    served = {shape.model for node in design.nodes for shape in node.template.replicas}
    return all(item.model in served for item in design.shares if item.share > 0)


def violations(problem: PlanningProblem, estimate: Estimate, loads: Sequence[ReplicaLoad]) -> tuple[str, ...]:
    """Names of the constraints that a design breaks: budget, quality_min, capacity, P95 targets.

    Capacity is broken when the high end of the load would make some queue grow without bound. The floor is
    that of the planned split. A class is called by its name first, e.g. `long:e2e_p95`.
    """
    workload, targets = problem.workload, problem.targets
    surge = max(1.0, workload.rate_high_per_s / workload.rate_per_s)
    broken = {
        "budget": estimate.usd_per_hour > problem.budget.usd_per_hour + Decimal("1e-9"),
        "quality_min": estimate.quality_low < targets.quality_min - 1e-9,
        "capacity": any(load.rate_per_s * surge > load.max_rate_per_s * (1 + 1e-9) for load in loads),
    }
    for metric in Metric:
        broken[f"{metric.value}_p95"] = _late(estimate, targets, metric)
    judged = {item.name: item for item in estimate.classes}
    for item in targets.classes:
        for metric in Metric:
            if item.name in judged:
                broken[violation(item.name, metric)] = _late(judged[item.name], item, metric)
    return tuple(name for name, is_broken in broken.items() if is_broken)


def _late(found: Estimate | ClassEstimate, targets: Targets | ClassTargets, metric: Metric) -> bool:
    limit = targets.of(metric)
    return limit is not None and found.p95_s(metric) > limit * (1 + 1e-9)
