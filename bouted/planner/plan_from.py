"""Turns a choice into a plan that can be stored, shown and carried out."""

from datetime import datetime

from bouted.codec import content_hash, dump
from bouted.planner.capacity import capacities_of
from bouted.planner.design import Design
from bouted.planner.plan import Choice, Plan, PlannedShape, Trigger
from bouted.planner.problem import PlanningProblem
from bouted.planner.sharing import weights
from bouted.quality.curve import QualityCurve
from bouted.quality.route_split import RouteSplit

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
    frontier_hash: str = "",
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
        why=(*choice.why, *_declared(problem), *_committed(problem), *_adopted(problem)),
        runner_up=choice.runner_up,
        problem_hash=problem_hash,
        config_hash=config_hash,
        seed=problem.seed,
        seconds_to_plan=seconds_to_plan,
        frontier_hash=frontier_hash,
    )


def _committed(problem: PlanningProblem) -> tuple[str, ...]:
    """What is paid beside the plan, where it is anything."""
    usd = problem.committed_usd_per_hour
    return (f"committed machines cost ${usd:.2f}/h on top, used or not",) if usd else ()


def _adopted(problem: PlanningProblem) -> tuple[str, ...]:
    """What others' endpoints take of the budget, where it is anything."""
    usd, left = problem.adopted_usd_per_hour, problem.budget.usd_per_hour
    return (f"adopted endpoints cost ${usd:.2f}/h of the budget, which leaves ${left:.2f}/h",) if usd else ()


def _declared(problem: PlanningProblem) -> tuple[str, ...]:
    """That nobody measured quality, where nobody did."""
    if not problem.quality.declared:
        return ()
    scores = zip(problem.quality.models, problem.quality.scores[0], strict=True)
    told = ", ".join(f"{model} {score:g}" for model, score in scores)
    return (f"quality is declared, not measured ({told}): queries are split by lot; evals would route them",)


def _split(design: Design, problem: PlanningProblem) -> RouteSplit:
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    return curve.route_split([item.share for item in design.shares])


def _shapes(design: Design, problem: PlanningProblem) -> tuple[PlannedShape, ...]:
    """The shapes of the design, each once. Weights are those that the design was judged with."""
    weight = weights(design, problem.workload, capacities_of(problem))
    used = sorted({shape for node in design.nodes for shape in node.template.replicas})
    return tuple(
        PlannedShape(
            shape=shape,
            costs=problem.profiles.by_shape[shape.id].modelled,
            rate_per_s=weight[shape.id],
        )
        for shape in used
    )
