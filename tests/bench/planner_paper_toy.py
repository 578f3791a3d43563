"""The worked example of 2502.00722, section 4.2: three GPU types, four configurations, two kinds of work."""

import numpy as np
from planner_paper_milp import Configuration, Task

WORK = np.array([80.0, 20.0])
THROUGHPUT = np.array([[1.0, 1.2], [0.9, 0.9], [0.3, 0.5], [2.4, 1.5]])
CONFIGURATIONS = (
    Configuration(name="one t1", usd_per_hour=4, gpus=(1, 0, 0)),
    Configuration(name="one t2", usd_per_hour=2, gpus=(0, 1, 0)),
    Configuration(name="one t3", usd_per_hour=2, gpus=(0, 0, 1)),
    Configuration(name="two t2 together", usd_per_hour=4, gpus=(0, 2, 0)),
)
PAPERS_PLAN_S = 28.67
LEAST_S = 28.43


def example(budget: float = 8.0, available: tuple[int, ...] = (2, 2, 2)) -> Task:
    """The example, or the same with other money or GPUs."""
    return Task(
        configurations=CONFIGURATIONS,
        loads=lambda seconds: WORK / THROUGHPUT / seconds,
        budget_usd_per_hour=budget,
        available=available,
    )
