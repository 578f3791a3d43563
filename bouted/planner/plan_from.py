"""Turns a choice into a plan that can be stored, shown and carried out."""

from datetime import datetime

from bouted.codec import content_hash, dump
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design
from bouted.planner.plan import Choice, Plan, PlannedShape, RouteSplit, Trigger
from bouted.planner.problem import PlanningProblem
from bouted.quality.curve import QualityCurve

ID_DIGITS = 7


def make_plan(
    choice: Choice,
    problem: PlanningProblem,
    *,
    trigger: Trigger,
    created_at: datetime,
    config_hash: str,
    problem_hash: str,
    seconds_to_plan: float,
) -> Plan:
    """The plan for this choice. Its id is a hash of the problem, the design and the time."""
    named = "|".join((problem_hash, created_at.isoformat())).encode()
    return Plan(
        id=content_hash(named + dump(Design, choice.chosen))[:ID_DIGITS],
        created_at=created_at,
        trigger=trigger,
        design=choice.chosen,
        split=_split(choice.chosen, problem),
        shapes=_shapes(choice.chosen, problem),
        estimate=choice.estimate,
        objective=problem.targets.objective,
        rate_per_s=problem.workload.rate_per_s,
        why=(*choice.why, *_committed(problem)),
        runner_up=choice.runner_up,
        problem_hash=problem_hash,
        config_hash=config_hash,
        seed=problem.seed,
        seconds_to_plan=seconds_to_plan,
    )


def _committed(problem: PlanningProblem) -> tuple[str, ...]:
    """What is paid beside the plan, where it is anything."""
    usd = problem.committed_usd_per_hour
    return (f"committed machines cost ${usd:.2f}/h on top, used or not",) if usd else ()


def _split(design: Design, problem: PlanningProblem) -> RouteSplit:
    shares = tuple(item.share for item in design.shares)
    curve = QualityCurve.from_model(problem.quality, problem.seed, resamples=1)
    return RouteSplit(
        models=tuple(item.model for item in design.shares),
        shares=shares,
        thresholds=curve.thresholds(shares),
        scorer_hash=problem.quality.scorer_hash,
    )


def _shapes(design: Design, problem: PlanningProblem) -> tuple[PlannedShape, ...]:
    """The shapes of the design, each once. Weights are those that the design was judged with."""
    capacities = Capacities(problem.profiles, problem.targets)
    used = sorted({shape for node in design.nodes for shape in node.template.replicas})
    return tuple(
        PlannedShape(
            shape=shape,
            costs=problem.profiles.by_shape[shape.id].modelled,
            rate_per_s=capacities.weight(shape.id),
        )
        for shape in used
    )
