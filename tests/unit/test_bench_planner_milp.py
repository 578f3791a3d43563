"""The exact allocation of 2502.00722 on the worked example of its section 4.2."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from planner_paper_milp import Allocation, Task, cheapest, quickest
from planner_paper_toy import CONFIGURATIONS, LEAST_S, PAPERS_PLAN_S, THROUGHPUT, WORK, example


def found(task: Task) -> tuple[float, Allocation]:
    """The quickest allocation of a task that has one."""
    answer = quickest(task, 1.0, 1000.0)
    assert answer is not None
    return answer


def test_the_worked_example_takes_28_43_s_where_the_paper_plans_28_67() -> None:
    seconds, allocation = found(example())
    assert seconds == pytest.approx(LEAST_S, abs=0.01)
    assert seconds < PAPERS_PLAN_S
    assert allocation.copies.tolist() == [1, 0, 0, 1]


def test_shares_of_each_kind_of_work_are_whole_and_nothing_is_busier_than_there_are_copies() -> None:
    seconds, allocation = found(example())
    assert allocation.shares.sum(axis=0) == pytest.approx([1.0, 1.0])
    busy = (allocation.shares * WORK / THROUGHPUT).sum(axis=1)
    assert np.all(busy <= seconds * allocation.copies + 1e-6)


def test_no_fleet_that_the_money_and_the_gpus_allow_is_quicker() -> None:
    seconds, _ = found(example())
    fleets = [
        (a, b, c, d)
        for a in range(3)
        for b in range(3)
        for c in range(3)
        for d in range(2)
        if 4 * a + 2 * b + 2 * c + 4 * d <= 8 and b + 2 * d <= 2
    ]
    assert min(map(least_time, fleets)) == pytest.approx(seconds, rel=2e-4)


def least_time(copies: tuple[int, ...]) -> float:
    """By linear programming on the fleet as it is, another way than bisection."""
    from scipy.optimize import linprog

    n, kinds = THROUGHPUT.shape
    busy = np.zeros((n, n * kinds + 1))
    for c in range(n):
        busy[c, c * kinds : (c + 1) * kinds] = WORK / THROUGHPUT[c]
        busy[c, -1] = -copies[c]
    whole = np.hstack([np.tile(np.eye(kinds), n), np.zeros((kinds, 1))])
    cost = np.zeros(n * kinds + 1)
    cost[-1] = 1.0
    answer = linprog(cost, A_ub=busy, b_ub=np.zeros(n), A_eq=whole, b_eq=np.ones(kinds))
    return float(answer.fun) if answer.success else float("inf")


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (example(budget=1.0), "money"),
        (example(available=(0, 0, 0)), "GPUs"),
    ],
)
def test_without_money_or_gpus_there_is_no_allocation(task: Task, why: str) -> None:
    assert quickest(task, 1.0, 1000.0) is None, why


def test_more_time_never_costs_more() -> None:
    costs = [
        allocation.usd_per_hour
        for seconds in (28.5, 35.0, 50.0, 100.0, 400.0)
        if (allocation := cheapest(example(budget=100.0), seconds)) is not None
    ]
    assert len(costs) == 5
    assert costs == sorted(costs, reverse=True)


def test_work_that_no_configuration_can_do_is_not_allocated() -> None:
    loads: Callable[[float], npt.NDArray[np.float64]] = lambda time: np.array([[1.0 / time, np.inf]])  # noqa: E731
    one = Task(configurations=CONFIGURATIONS[:1], loads=loads, budget_usd_per_hour=100, available=(9, 9, 9))
    assert quickest(one, 0.1, 100.0) is None
