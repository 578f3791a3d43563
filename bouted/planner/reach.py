"""What could be had where a problem has no answer: at any cost, at any latency, at any floor."""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal

from bouted.planner.design import ScoredDesign
from bouted.planner.goals import Targets
from bouted.planner.problem import PlanningProblem
from bouted.planner.resolve import resolve

ANY_USD_PER_HOUR = Decimal(10**9)
# Targets so many times as long are tried, to find the least that the budget affords.
SLOWER = (1.05, 1.1, 1.2, 1.4, 1.7, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The nearest feasible figures, by look-ups; None where there is none either.

    `usd_per_hour` meets every target and the floor. `p95_s`, of the objective, is the lowest found within the
    budget at the floor, were all targets longer. `floor` can be met within the budget and the targets.
    """

    usd_per_hour: Decimal | None
    p95_s: float | None
    floor: float | None


def reach(problem: PlanningProblem, nearest: ScoredDesign | None) -> Reach:
    """Gives up one of budget, targets and floor at a time. Some seconds of work, and always the same.

    `nearest` is the least infeasible design that is known, if any.
    """
    plain = replace(problem, incumbent=None, past=())
    budget, targets = plain.budget, plain.targets
    rich = resolve(replace(plain, budget=replace(budget, usd_per_hour=ANY_USD_PER_HOUR))).designs
    poor = resolve(replace(plain, targets=replace(targets, quality_min=0.0))).designs
    if nearest is not None and nearest.violated == ("budget",):
        rich = (*rich, nearest)
    usd = min((item.design.usd_per_hour for item in rich), default=None)
    return Reach(
        usd_per_hour=None if usd is None else usd.quantize(Decimal("0.01"), rounding=ROUND_CEILING),
        p95_s=_fastest_s(plain),
        floor=max((item.estimate.quality_low for item in poor), default=None),
    )


def told(found: Reach, problem: PlanningProblem) -> str:
    """E.g. `nearest: $41.20/h meets all; within $30/h the fastest is p95 e2e 14.1 s`; empty for nothing."""
    budget, metric, parts = problem.budget.usd_per_hour, problem.targets.objective, []
    if found.usd_per_hour is not None:
        parts.append(f"${found.usd_per_hour}/h meets all")
    if found.p95_s is not None:
        parts.append(f"within ${budget}/h the fastest is p95 {metric} {found.p95_s:.3g} s")
    if found.floor is not None:
        limit = problem.targets.of(metric)
        at = f"at p95 {metric} {limit:g} s" if limit is not None else "at these targets"
        parts.append(f"{at} and ${budget}/h the floor that can be met is {int(found.floor * 1000) / 1000}")
    return f"nearest: {'; '.join(parts)}" if parts else ""


def _fastest_s(problem: PlanningProblem) -> float | None:
    """The lowest P95 of the objective at the least of `SLOWER` with a design at all, by bisection."""
    low, high, best = 0, len(SLOWER), None
    while low < high:
        middle = (low + high) // 2
        designs = resolve(replace(problem, targets=_longer(problem.targets, SLOWER[middle]))).designs
        if designs:
            best = min(item.estimate.p95_s(problem.targets.objective) for item in designs)
            high = middle
        else:
            low = middle + 1
    return best


def _longer(targets: Targets, times: float) -> Targets:
    def longer(limit: float | None) -> float | None:
        return None if limit is None else limit * times

    return replace(
        targets,
        ttft_p95_s=longer(targets.ttft_p95_s),
        tpot_p95_s=longer(targets.tpot_p95_s),
        e2e_p95_s=longer(targets.e2e_p95_s),
        classes=tuple(
            replace(
                item,
                ttft_p95_s=longer(item.ttft_p95_s),
                tpot_p95_s=longer(item.tpot_p95_s),
                e2e_p95_s=longer(item.e2e_p95_s),
            )
            for item in targets.classes
        ),
    )
