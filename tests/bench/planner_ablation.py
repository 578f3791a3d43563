"""What each piece of the search is worth: the hypervolume it loses without it, in the same time."""

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

import numpy as np
from planner_again import EFFORT, busier, replanned
from planner_arena import Arena
from planner_ours import ours
from planner_run import run
from planner_scenarios import FOUR

from bouted.planner.design import Progress
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.testing.bench import Bench

# A piece that loses less than this is not worth its code.
LEAST_LOSS = 0.1
WITHOUT = (
    ("no MILP inside", replace(ALL, inside=False)),
    ("no cheap fidelity", replace(ALL, cheap=False)),
    ("no structured kernel", replace(ALL, kernel=False)),
)
NO_WARM_START = ("no warm start, replanning", replace(ALL, warm=False))
# Replanning must be quick: its runs are no longer than this.
REPLAN_S = 5.0


def ablation_rows(bench: Bench, seconds: float, seeds: Sequence[int]) -> None:
    """A row for each piece: loss as a percentage of the whole search's hypervolume, mean over seeds."""
    problems = [FOUR.problem(seed) for seed in seeds]
    _compare(bench, problems, WITHOUT, seconds)
    _compare(bench, [_moved(problem) for problem in problems], (NO_WARM_START,), min(seconds, REPLAN_S))


def _compare(
    bench: Bench, problems: list[PlanningProblem], without: Sequence[tuple[str, Pieces]], seconds: float
) -> None:
    whole = _volumes(problems, ALL, seconds)
    bench.note(f"{FOUR.name}, {seconds:g} s, all pieces: hypervolume {_spread(whole)}")
    for name, pieces in without:
        found = _volumes(problems, pieces, seconds)
        loss = 100 * (1 - float(np.mean(found)) / max(float(np.mean(whole)), 1e-9))
        bench.row(f"ablation, {name}: hypervolume lost", loss, "%", LEAST_LOSS, "higher")
        bench.note(f"{name}: hypervolume {_spread(found)}")


def _volumes(problems: list[PlanningProblem], pieces: Pieces, seconds: float) -> list[float]:
    def search(arena: Arena, seed: int) -> None:
        ours(arena, seed, pieces)

    return [run("pieces", search, problem, seconds).volume_at(seconds) for problem in problems]


def _moved(problem: PlanningProblem) -> PlanningProblem:
    """The problem after a load step, with the plan that a search of usual effort found before it in force."""
    first = propose(replace(problem, effort=EFFORT), _ignore, monotonic)
    return busier(replanned(problem, first))


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ({min(values):.4f}..{max(values):.4f})"


def _ignore(_: Progress) -> None:
    """Only the answer counts."""
