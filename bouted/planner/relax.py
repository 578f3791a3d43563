"""Every constraint of a problem, each eased a little: what the shadow prices are measured by. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from bouted.perf.profile import Metric
from bouted.planner.beyond import QUOTAS, STOCK, replicas_of
from bouted.planner.design import Design, Estimate
from bouted.planner.goals import ClassTargets, Targets
from bouted.planner.problem import ModelRules, PlanningProblem

T = TypeVar("T", Targets, ClassTargets)

STEP_S = 0.1
STEP_SHARE = 0.1
STEP_QUALITY = 0.01
STEP_USD = Decimal(1)


class Unit(StrEnum):
    """What a constraint is counted in."""

    SECONDS = "s"
    USD_PER_HOUR = "usd_per_hour"
    QUALITY = "quality"
    SHARE = "share"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eased:
    """One constraint: how much of it the plan uses and its limit (None: no one figure), and a step.

    `problem` is the same problem with that limit moved by the step, the way that allows more.
    """

    name: str
    unit: Unit
    now: float | None
    limit: float | None
    step: float
    problem: PlanningProblem


def eased(problem: PlanningProblem, design: Design, estimate: Estimate) -> Iterator[Eased]:
    """Each constraint that could bind, one at a time: targets, floor, budget, spot, stock, quotas, least
    replicas. `estimate` says how much of each the plan uses."""
    yield from _latencies(problem, estimate)
    yield from _floor(problem, estimate)
    budget = problem.budget
    yield Eased(
        name="budget",
        unit=Unit.USD_PER_HOUR,
        now=float(design.usd_per_hour),
        limit=float(budget.usd_per_hour),
        step=float(STEP_USD),
        problem=replace(problem, budget=replace(budget, usd_per_hour=budget.usd_per_hour + STEP_USD)),
    )
    yield from _spot(problem)
    yield from _stock(problem)
    yield from _quotas(problem)
    yield from _replicas(problem, design)


def _latencies(problem: PlanningProblem, estimate: Estimate) -> Iterator[Eased]:
    targets = problem.targets
    for metric in Metric:
        limit = targets.of(metric)
        if limit is not None:
            step = _step_s(limit)
            other = _raised(targets, metric, limit + step)
            yield _latency(problem, f"p95 {metric}", estimate.p95_s(metric), limit, step, other)
    judged = {item.name: item for item in estimate.classes}
    for at, item in enumerate(targets.classes):
        for metric in Metric:
            limit = item.of(metric)
            if limit is None:
                continue
            step = _step_s(limit)
            classes = (*targets.classes[:at], _raised(item, metric, limit + step), *targets.classes[at + 1 :])
            now = judged[item.name].p95_s(metric) if item.name in judged else None
            name = f"p95 {metric} of {item.name}"
            yield _latency(problem, name, now, limit, step, replace(targets, classes=classes))


def _latency(
    problem: PlanningProblem, name: str, now: float | None, limit: float, step: float, targets: Targets
) -> Eased:
    other = replace(problem, targets=targets)
    return Eased(name=name, unit=Unit.SECONDS, now=now, limit=limit, step=step, problem=other)


def _raised(targets: T, metric: Metric, limit: float) -> T:
    match metric:
        case Metric.TTFT:
            return replace(targets, ttft_p95_s=limit)
        case Metric.TPOT:
            return replace(targets, tpot_p95_s=limit)
        case Metric.E2E:
            return replace(targets, e2e_p95_s=limit)


def _step_s(limit: float) -> float:
    """100 ms; a tenth of targets below a second."""
    return STEP_S if limit >= 1 else limit / 10


def _floor(problem: PlanningProblem, estimate: Estimate) -> Iterator[Eased]:
    floor = problem.targets.quality_min
    if floor > 0:
        step = min(STEP_QUALITY, floor)
        targets = replace(problem.targets, quality_min=floor - step)
        yield Eased(
            name="quality floor",
            unit=Unit.QUALITY,
            now=estimate.quality_low,
            limit=floor,
            step=step,
            problem=replace(problem, targets=targets),
        )


def _spot(problem: PlanningProblem) -> Iterator[Eased]:
    spot = problem.spot
    whole, pool, zone = (_more(share) for share in (spot.max_share, spot.pool_max_share, spot.zone_max_share))
    kinds = (
        ("spot share", spot.max_share, whole, replace(spot, max_share=whole)),
        ("spot share of a pool", spot.pool_max_share, pool, replace(spot, pool_max_share=pool)),
        ("spot share of a zone", spot.zone_max_share, zone, replace(spot, zone_max_share=zone)),
    )
    for name, limit, more, rules in kinds:
        if more > limit:
            other = replace(problem, spot=rules)
            yield Eased(name=name, unit=Unit.SHARE, now=None, limit=limit, step=more - limit, problem=other)


def _more(share: float) -> float:
    return min(1.0, share + STEP_SHARE)


def _stock(problem: PlanningProblem) -> Iterator[Eased]:
    """One more of every offer at once; which of them the better fleet takes says `beyond`."""
    offers = tuple(replace(offer, obtainable=offer.obtainable + 1) for offer in problem.offers)
    yield _count(STOCK, None, None, 1, replace(problem, offers=offers))


def _quotas(problem: PlanningProblem) -> Iterator[Eased]:
    """Room for one more instance of the largest kind in every quota at once."""
    if problem.quotas:
        most = max(offer.gpu_count for offer in problem.offers)
        quotas = tuple(replace(quota, gpus=quota.gpus + most) for quota in problem.quotas)
        yield _count(QUOTAS, None, None, most, replace(problem, quotas=quotas))


def _replicas(problem: PlanningProblem, design: Design) -> Iterator[Eased]:
    """Models that run no more replicas than they must."""
    running = replicas_of(design)
    for at, rules in enumerate(problem.models):
        if rules.min_replicas and running[rules.name] <= rules.min_replicas:
            fewer: ModelRules = replace(rules, min_replicas=rules.min_replicas - 1)
            models = (*problem.models[:at], fewer, *problem.models[at + 1 :])
            name = f"min_replicas of {rules.name}"
            yield _count(name, running[rules.name], rules.min_replicas, 1, replace(problem, models=models))


def _count(name: str, now: int | None, limit: int | None, step: int, problem: PlanningProblem) -> Eased:
    return Eased(
        name=name,
        unit=Unit.COUNT,
        now=None if now is None else float(now),
        limit=None if limit is None else float(limit),
        step=float(step),
        problem=problem,
    )
