"""The designs of a front as points to draw: $/h against P95, with quality and what is unsure. Pure."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from bouted.market.offers import Market
from bouted.perf.profile import Interval, Metric
from bouted.planner.design import Design, Frontier, Judge, ScoredDesign
from bouted.planner.plan import Plan
from bouted.planner.problem import PlanningProblem

_MARKETS = {Market.SPOT: " spot", Market.OWNED: " owned", Market.ON_DEMAND: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One design. `fits` is false for a running plan that misses a target or the budget."""

    usd_per_hour: Decimal
    usd: Interval
    p95_s: Interval
    quality: float
    quality_low: float
    fleet: str
    judge: Judge
    chosen: bool
    incumbent: bool
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What is drawn: the points, cheapest first, and the limits they live within."""

    plan: Plan
    metric: Metric
    points: tuple[Point, ...]
    budget_usd_per_hour: Decimal
    target_s: float | None
    quality_min: float
    rule: str


def front_of(plan: Plan, problem: PlanningProblem, frontier: Frontier) -> Front:
    """The front that `plan` was chosen from, with the plan and the one in force then among its points."""
    old = frontier.incumbent
    listed = {item.design: item for item in (*frontier.designs, *((old,) if old is not None else ()))}
    chosen = ScoredDesign(design=plan.design, estimate=plan.estimate, violated=())
    listed.setdefault(plan.design, chosen)
    running = old.design if old is not None else None
    points = [_point(item, plan, running) for item in listed.values()]
    return Front(
        plan=plan,
        metric=plan.objective,
        points=tuple(sorted(points, key=lambda point: (point.usd_per_hour, point.p95_s.value))),
        budget_usd_per_hour=problem.budget.usd_per_hour,
        target_s=problem.targets.of(plan.objective),
        quality_min=problem.targets.quality_min,
        rule=problem.preference.rule.value,
    )


def fleet_text(design: Design) -> str:
    """The GPUs of a fleet, e.g. `2x 4xL4 spot, 1xB200`; what is neither spot nor owned is on demand."""
    counts = Counter(
        (node.offer.gpu_count, node.offer.gpu, _MARKETS[node.offer.market])
        for node in design.nodes
        for _ in range(node.template.instances)
    )
    parts = [
        f"{f'{count}x ' if count > 1 else ''}{gpus}x{gpu}{market}"
        for (gpus, gpu, market), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return ", ".join(parts) or "no nodes"


def _point(item: ScoredDesign, plan: Plan, running: Design | None) -> Point:
    estimate = item.estimate
    return Point(
        usd_per_hour=item.design.usd_per_hour,
        usd=Interval.around(float(item.design.usd_per_hour), estimate.usd_spread),
        p95_s=Interval.around(estimate.p95_s(plan.objective), estimate.spread),
        quality=estimate.quality,
        quality_low=estimate.quality_low,
        fleet=fleet_text(item.design),
        judge=estimate.judge,
        chosen=item.design == plan.design,
        incumbent=item.design == running,
        fits=not item.violated,
    )
