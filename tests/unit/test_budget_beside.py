"""What endpoints that others run cost is taken off the budget that plans have."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bouted.planner.explain import explain_infeasible
from bouted.planner.plan import Choice, Plan, Trigger
from bouted.planner.plan_from import make_plan
from bouted.planner.problem import PlanningProblem
from bouted.planner.resolve import resolve
from bouted.planner.terms import Budget
from bouted.reconcile.adopted import ADOPTED, adopted_usd_per_hour
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.states import NodeStatus
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer
from bouted.testing.store import a_node

# Four queries/s a node at most: three nodes carry the load slowly, four or more within 1.3 s.
CASE = a_problem(
    (an_offer("aws", usd_per_hour="1.00", obtainable=6),),
    a_table({a_shape("small"): 4.0}),
    (rules("small"),),
    workload=a_workload(11.0),
    wanted=targets(e2e=1.3, quality=0.5),
    budget="12",
    sweep=32,
)


def a_budget(usd: str, surge: str) -> Budget:
    return Budget(usd_per_hour=Decimal(usd), surge_usd_per_hour=Decimal(surge))


def beside(adopted: str) -> PlanningProblem:
    usd = Decimal(adopted)
    return replace(CASE, budget=CASE.budget.beside(usd), adopted_usd_per_hour=usd)


def a_plan_for(problem: PlanningProblem) -> Plan:
    best = resolve(problem).designs[0]
    choice = Choice(chosen=best.design, estimate=best.estimate, held=False, why=(), runner_up="")
    return make_plan(
        choice,
        problem,
        trigger=Trigger.FIRST,
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        config_hash="c",
        problem_hash="p",
        seconds_to_plan=1.0,
    )


@pytest.mark.parametrize(
    ("paid", "left"),
    [
        ("0", ("25", "10")),
        ("7.50", ("17.50", "10")),
        ("25", ("0", "10")),
        ("30", ("0", "5")),
        ("40", ("0", "0")),
    ],
)
def test_the_surge_goes_last_and_nothing_falls_below_nothing(paid: str, left: tuple[str, str]) -> None:
    assert a_budget("25", "10").beside(Decimal(paid)) == a_budget(*left)


def test_what_is_adopted_costs_until_it_is_let_go_and_what_is_ours_is_no_part_of_it() -> None:
    def node(name: str, usd: str, **about: Any) -> Node:
        return replace(a_node(name, usd_per_hour=usd), **{"status": NodeStatus.UP, **about})

    nodes = (
        node("ours", "1"),
        node("theirs", "2.50", launcher=ADOPTED),
        node("released", "8", launcher=ADOPTED, status=NodeStatus.GONE),
    )
    assert adopted_usd_per_hour(FleetState(nodes=nodes, replicas=(), incarnations=())) == Decimal("2.50")


def test_a_plan_says_what_is_adopted_and_what_that_leaves() -> None:
    plan = a_plan_for(beside("7.50"))
    assert plan.design.usd_per_hour <= Decimal("4.50")
    assert plan.why == ("adopted endpoints cost $7.50/h of the budget, which leaves $4.50/h",)
    assert a_plan_for(beside("0")).why == ()


@pytest.mark.parametrize("adopted", ["9", "12", "40"])
def test_a_budget_that_would_do_counts_what_is_adopted(adopted: str) -> None:
    poor, enough = beside(adopted), resolve(CASE).designs[0].design.usd_per_hour
    found = resolve(poor)
    assert found.designs == ()
    error = explain_infeasible(poor, found)
    assert error.message == (
        f"the cheapest fleet that meets the targets costs ${enough}/h, "
        f"the budget is ${poor.budget.usd_per_hour}/h beside adopted endpoints at ${adopted}.00/h"
    )
    assert f"raise budget.usd_per_hour to at least {enough + Decimal(adopted)}, or" in error.hint
