"""The stored plan that a command is about, with the problem and the front it was chosen from."""

from dataclasses import dataclass

from bouted.codec import parse
from bouted.errors import Gone, Misconfigured
from bouted.planner.design import Frontier
from bouted.planner.plan import Plan, PlanStatus
from bouted.planner.problem import PlanningProblem
from bouted.store.documents import get_document
from bouted.store.plans import desired_plan, list_plans, load_plan
from bouted.store.session import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A plan and what it was made from. `frontier` is None for plans made before fronts were kept."""

    plan: Plan
    problem: PlanningProblem
    frontier: Frontier | None


def stored_plan(store: Store, id_prefix: str | None) -> Stored:
    """The plan of that id; without one the plan in force, else the newest. Misconfigured: there is none."""
    plan = load_plan(store, id_prefix) if id_prefix else _current(store)
    problem = parse(PlanningProblem, get_document(store, plan.problem_hash))
    return Stored(plan=plan, problem=problem, frontier=_frontier(store, plan))


def _current(store: Store) -> Plan:
    plan = desired_plan(store)
    if plan is not None:
        return plan
    rows = list_plans(store, 100)
    proposed = [row.plan for row in rows if row.status is PlanStatus.PROPOSED]
    found = proposed or [row.plan for row in rows]
    if not found:
        raise Misconfigured("plan", "there is no plan yet", hint="make one: bouted plan")
    return found[0]


def _frontier(store: Store, plan: Plan) -> Frontier | None:
    if not plan.frontier_hash:
        return None
    try:
        return parse(Frontier, get_document(store, plan.frontier_hash))
    except Gone:
        return None
