"""All that can be said of a stored plan: what binds, why no other GPU, and what it rests on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bouted.planner.assumed import Assumed, assumed
from bouted.planner.design import Frontier
from bouted.planner.plan import Plan
from bouted.planner.problem import PlanningProblem
from bouted.planner.resolve import around, resolve, scale_of
from bouted.planner.whatif import WhatIf, what_if
from bouted.planner.whynot import Asked, WhyNot, gpus_on_sale

OnAsked = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answers about `plan`, made of `problem` and chosen from `frontier` (None: it was not kept).

    `what_if` is None where only GPUs were asked about.
    """

    plan: Plan
    problem: PlanningProblem
    frontier: Frontier | None
    what_if: WhatIf | None
    gpus: tuple[WhyNot, ...]
    assumed: Assumed


def why(problem: PlanningProblem, frontier: Frontier | None, plan: Plan, on_asked: OnAsked) -> Why:
    """Every answer. Some seconds of work, and always the same. `on_asked` hears of how many are done."""
    found = what_if(problem, frontier, plan.design, plan.estimate, on_asked)
    splits = [item.design.shares for item in found.near]
    scale = scale_of(problem, plan.design, plan.estimate)
    asked = Asked(around(problem, plan.design, scale), plan.design, splits)
    gpus = tuple(asked.why_not(gpu) for gpu in gpus_on_sale(problem))
    return Why(
        plan=plan,
        problem=problem,
        frontier=frontier,
        what_if=found,
        gpus=gpus,
        assumed=assumed(problem, plan),
    )


def why_not(problem: PlanningProblem, plan: Plan, gpus: Sequence[str]) -> Why:
    """Why these GPU types are not in the plan, and nothing else."""
    still = around(problem, plan.design, scale_of(problem, plan.design, plan.estimate))
    asked = Asked(still, plan.design, [item.design.shares for item in resolve(still).designs])
    return Why(
        plan=plan,
        problem=problem,
        frontier=None,
        what_if=None,
        gpus=tuple(asked.why_not(gpu) for gpu in gpus),
        assumed=assumed(problem, plan),
    )


def named(problem: PlanningProblem, name: str) -> tuple[str, ...]:
    """The GPU types on sale that a name means: itself, or those that begin so (`h100`: `H100-80GB`)."""
    on_sale = gpus_on_sale(problem)
    exact = tuple(gpu for gpu in on_sale if gpu.lower() == name.lower())
    return exact or tuple(gpu for gpu in on_sale if gpu.lower().startswith(f"{name.lower()}-")) or (name,)
