"""One broken constraint, in words: which, and by how much."""

from bouted.perf.profile import Metric
from bouted.planner.design import ScoredDesign
from bouted.planner.problem import PlanningProblem

# By the names that judges give.
_SPOT = {
    "spot_max_share": ("spot.max_share", "a model", "spot"),
    "spot_pool_max_share": ("spot.pool_max_share", "a model's spot", "one pool"),
    "spot_zone_max_share": ("spot.zone_max_share", "a model's spot", "one zone"),
}


def missed(problem: PlanningProblem, found: ScoredDesign, name: str) -> str:
    """What breaking the constraint `name` means for this design, e.g. `p95 e2e: 14.2 s against 12 s`."""
    estimate = found.estimate
    latency = _latency(problem, found, name)
    if latency is not None:
        return latency
    if name == "quality_min":
        return f"quality_min: {estimate.quality_low:.3f} against {problem.targets.quality_min:g}"
    if name == "budget":
        return f"the budget: ${estimate.usd_per_hour:.2f}/h against ${problem.budget.usd_per_hour}/h"
    if name in _SPOT:
        key, what, where = _SPOT[name]
        return f"{key}: more than {_spot_limit(problem, name):.0%} of {what} is on {where}"
    if name == "capacity":
        return f"capacity: too little for {problem.workload.rate_high_per_s:.3g} queries/s"
    return name.replace("_", " ")


def _latency(problem: PlanningProblem, found: ScoredDesign, name: str) -> str | None:
    """A missed P95 target, of all requests (`e2e_p95`) or of a class (`long:e2e_p95`)."""
    class_name, _, target = name.rpartition(":")
    for metric in Metric:
        if target != f"{metric.value}_p95":
            continue
        if not class_name:
            limit = problem.targets.of(metric)
            return f"p95 {metric}: {found.estimate.p95_s(metric):.3g} s against {limit:g} s"
        limits = {item.name: item.of(metric) for item in problem.targets.classes}
        judged = {item.name: item.p95_s(metric) for item in found.estimate.classes}
        seen = f"{judged[class_name]:.3g} s" if class_name in judged else "too long"
        return f"p95 {metric} of class {class_name}: {seen} against {limits[class_name]:g} s"
    return None


def _spot_limit(problem: PlanningProblem, name: str) -> float:
    return {
        "spot_max_share": problem.spot.max_share,
        "spot_pool_max_share": problem.spot.pool_max_share,
        "spot_zone_max_share": problem.spot.zone_max_share,
    }[name]
