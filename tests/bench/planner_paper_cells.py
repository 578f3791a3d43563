"""The cells of the paper's table: who is asked what, and what each method answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from planner_paper_allocate import Means
from planner_paper_baselines import baseline
from planner_paper_gains import Table
from planner_paper_judge import Fleet, FleetJudge
from planner_paper_method import paper_method
from planner_paper_ours import ours
from planner_paper_parameters import AVAILABLE, EVALUATIONS, UNLIMITED, WORKLOADS, Workload
from planner_paper_problem import Question, straight
from planner_paper_published import BASELINES, Method
from planner_paper_world import world

from bouted.quality.evals import QualityModel

AVAILABILITIES = (AVAILABLE, UNLIMITED)
METHODS = (*BASELINES, Method.FIXED, Method.PAPER, Method.OURS)
FLOOR_SLACK = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One column of the table: a floor of a data set, with so many GPUs of each type.

    `thorough` is how often our planner is asked for the cheapest.
    """

    workload: Workload
    floor: float
    available: int
    thorough: int

    @property
    def means(self) -> Means:
        """The paper's money, and these GPUs."""
        return Means.of(gpus=self.available)

    @property
    def large_share(self) -> float:
        """The least share on 70B that meets the floor."""
        shares, scores = zip(*self.workload.curve, strict=True)
        return float(np.interp(self.floor, scores, shares))

    @property
    def quality(self) -> QualityModel:
        """The straight line from no 70B through the floor's share.

        At the floor it says what the data set's curve says. The curve itself would not do: our planner mixes
        routes where a curve sags below its chord, which is the router's gain and not the planner's.
        """
        full = self.workload.full_score
        return straight(
            ((0.0, self.workload.curve[0][1] / full), (self.large_share, self.floor / full)),
        )

    @property
    def question(self) -> Question:
        """What our planner is asked."""
        floor = self.floor / self.workload.full_score - FLOOR_SLACK
        return Question(
            quality=self.quality,
            floor=floor,
            least_large=self.large_share,
            means=self.means,
            thorough=self.thorough,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A method's fleet for a cell, its P95, and all fleets that were judged on the way to it."""

    fleet: Fleet
    p95_s: float
    judged: tuple[Fleet, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tabled:
    """The table with so many GPUs of each type: its columns, and P95 in seconds by method and column."""

    available: int
    cells: tuple[Cell, ...]
    p95_s: Table


def cells(available: int, thorough: int, workloads: tuple[Workload, ...] = WORKLOADS) -> tuple[Cell, ...]:
    """The six of the table."""
    return tuple(
        Cell(workload=workload, floor=floor, available=available, thorough=thorough)
        for workload in workloads
        for floor in workload.floors
    )


@cache
def judge_of(workload: Workload) -> FleetJudge:
    """One judge per data set, for everybody."""
    return FleetJudge(world(workload))


@cache
def answer(method: Method, cell: Cell) -> Answer | None:
    """What the method answers; None when it finds no fleet."""
    judge = judge_of(cell.workload)
    match method:
        case Method.PAPER:
            fleets: Sequence[Fleet] = paper_method(judge, cell.large_share, cell.means)
        case Method.OURS:
            fleets = ours(judge, cell.question)
        case _:
            found = baseline(method, judge, cell.large_share, cell.means)
            fleets = [found] if found is not None else []
    judged = tuple(fleets[:EVALUATIONS])
    if not judged:
        return None
    best = min(judged, key=judge.p95_s)
    return Answer(fleet=best, p95_s=judge.p95_s(best), judged=judged)


def tabled(available: int, thorough: int, workloads: tuple[Workload, ...] = WORKLOADS) -> Tabled:
    """The table, every cell of every method."""
    columns = cells(available, thorough, workloads)
    return Tabled(
        available=available,
        cells=columns,
        p95_s={
            method: tuple(
                found.p95_s if (found := answer(method, cell)) is not None else None for cell in columns
            )
            for method in METHODS
        },
    )
