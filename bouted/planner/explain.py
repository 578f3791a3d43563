"""Why there is no plan, and the nearest one that there could be."""

from decimal import ROUND_CEILING, Decimal

import numpy as np
import numpy.typing as npt

from bouted.errors import Infeasible
from bouted.perf.profile import QUANTILES, Metric, Profile
from bouted.planner.design import Frontier, ScoredDesign
from bouted.planner.latency import mixed_quantile
from bouted.planner.missed import missed
from bouted.planner.problem import PlanningProblem
from bouted.planner.reach import Reach, reach, told
from bouted.planner.splits import FloorSplits
from bouted.quality.curve import QualityCurve

Floats = npt.NDArray[np.float64]

P95 = QUANTILES.index(0.95)


def explain_infeasible(problem: PlanningProblem, frontier: Frontier) -> Infeasible:
    """The error that says which constraint cannot be met, what would do, and the nearest feasible figures.

    Takes some seconds: it solves the problem again with one of budget, targets and floor given up at a time.
    """
    error = _floor(problem)
    if error is not None:
        return error
    found = reach(problem, frontier.nearest)
    error = _unreachable(problem)
    if error is None and frontier.nearest is not None:
        error = _nearest(problem, frontier.nearest, found)
    error = error or _no_fleet(problem)
    nearest = told(found, problem)
    return Infeasible(error.message, hint=f"{error.hint}; {nearest}" if nearest else error.hint)


def _floor(problem: PlanningProblem) -> Infeasible | None:
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    floor, best = problem.targets.quality_min, curve.best
    if floor > best.mean:
        return Infeasible(
            f"quality_min {floor:g} is above what the best model reaches, {best.mean:.2f} ({best.name})",
            hint=f"lower targets.quality_min to {_below(best.mean)}, or add a better model",
        )
    alone = [float(name == best.name) for name in curve.models]
    low = curve.low(alone)
    if floor > low:
        return Infeasible(
            f"quality_min {floor:g} is above what the best model surely reaches: {best.name} scores"
            f" {best.mean:.3f} on the evals, but may be as low as {low:.3f}",
            hint=f"lower targets.quality_min to {_below(low)}, or evaluate more prompts",
        )
    return None


def _unreachable(problem: PlanningProblem) -> Infeasible | None:
    """A target below what an idle fleet of the fastest replicas takes, over splits that meet the floor."""
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    floor = FloorSplits(curve, problem.targets.quality_min, problem.seed)
    splits = np.vstack([floor.best[None], floor.others(floor.best, np.random.default_rng(problem.seed))])
    for metric in Metric:
        limit = problem.targets.of(metric)
        fastest = _fastest(problem, metric)
        served = [split for split in splits if all(fastest[split > 0])]
        if limit is None or not served:
            continue
        seconds = min(_mixed(fastest, split, metric) for split in served)
        if seconds > limit:
            return Infeasible(
                f"no fleet reaches {metric} p95 of {limit:g} s: an idle one takes {seconds:.3g} s",
                hint=f"raise targets.{metric}_p95_ms above {seconds * 1000:.0f}, or allow faster GPUs",
            )
    return None


def _fastest(problem: PlanningProblem, metric: Metric) -> npt.NDArray[np.object_]:
    """Per model, the profile that is fastest when idle of those whose GPUs are on sale; None without one."""
    known = {(offer.gpu, offer.gpu_count) for offer in problem.offers}
    largest = {gpu: max(count for other, count in known if other == gpu) for gpu, _ in known}
    found: list[Profile | None] = []
    for rules in problem.models:
        on_sale = [
            profile
            for profile in problem.profiles.profiles
            if profile.shape.model == rules.name
            and profile.shape.gpu_count <= largest.get(profile.shape.gpu, 0)
        ]
        found.append(min(on_sale, key=lambda profile: profile.points[0].of(metric)[P95], default=None))
    return np.array(found, dtype=object)


def _mixed(fastest: npt.NDArray[np.object_], split: Floats, metric: Metric) -> float:
    served = np.flatnonzero(split > 0)
    seconds = np.array([profile.points[0].of(metric) for profile in fastest[served]])
    return mixed_quantile(seconds, split[served], 0.95)


def _nearest(problem: PlanningProblem, found: ScoredDesign, near: Reach) -> Infeasible:
    broken = tuple(name for name in found.violated if name != "budget")
    usd, budget = found.design.usd_per_hour, problem.budget.usd_per_hour
    if not broken or (near.usd_per_hour is not None and near.usd_per_hour > budget):
        least = near.usd_per_hour or usd.quantize(Decimal("0.01"), rounding=ROUND_CEILING)
        adopted = problem.adopted_usd_per_hour
        beside = f" beside adopted endpoints at ${adopted:.2f}/h" if adopted else ""
        return Infeasible(
            f"the cheapest fleet that meets the targets costs ${least}/h, the budget is ${budget}/h{beside}",
            hint=f"raise budget.usd_per_hour to at least {least + adopted}, or relax a target",
        )
    told = "; ".join(missed(problem, found, name) for name in broken)
    return Infeasible(
        f"no fleet that can be had meets the targets; the nearest costs ${usd:.2f}/h and misses {told}",
        hint="relax that target, or allow more GPUs, clouds or models",
    )


def _no_fleet(problem: PlanningProblem) -> Infeasible:
    rate = problem.workload.rate_per_s
    return Infeasible(
        f"what is on sale cannot carry {rate:.3g} queries/s within the targets",
        hint="allow more GPUs, clouds or spot, or relax a latency target",
    )


def _below(value: float) -> str:
    return f"{int(value * 100) / 100:.2f}"
