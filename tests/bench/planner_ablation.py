"""What each piece of the search is worth: the hypervolume it loses without it.

Once at the effort that the daemon spends by default, where every search simulates as many designs and no
clock matters; once in the same, longer time. A replan is asked for at the daemon's effort only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic

import numpy as np
from planner_again import EFFORT, busier, dearer, replanned
from planner_archive import seen_at
from planner_arena import Arena, box_of
from planner_ours import ours
from planner_run import run
from planner_scenarios import FOUR, THREE

from bouted.planner.design import Progress, ScoredDesign
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.planner.splits import FloorSplits
from bouted.quality.curve import QualityCurve
from bouted.testing.bench import Bench

# A piece that never loses as much as this is not worth its code.
LEAST_LOSS_PERCENT = 0.1
WITHOUT = {
    "no MILP inside": replace(ALL, inside=False),
    "no cheap fidelity": replace(ALL, cheap=False),
    "no structured kernel": replace(ALL, kernel=False),
}
NO_WARM_START = {"no warm start, replanning": replace(ALL, warm=False)}
Losses = dict[str, float]
Volume = Callable[[PlanningProblem, Pieces], float]
"""The hypervolume that a search with these pieces reaches on the problem."""


def ablation_rows(bench: Bench, seconds: float, seeds: Sequence[int]) -> None:
    """Losses as percentages of the whole search's hypervolume, mean over problems and seeds."""
    first = [replace(scenario.problem(seed), effort=EFFORT) for scenario in (THREE, FOUR) for seed in seeds]
    moved = [step(_replanned(problem)) for step in (dearer, busier) for problem in first]
    longer = [FOUR.problem(seed) for seed in seeds]
    usual = f"{EFFORT.evaluations} simulations"
    losses = [
        _compared(bench, usual, WITHOUT, first, _at_effort),
        _compared(bench, usual, NO_WARM_START, moved, _at_effort),
        _compared(bench, f"{seconds:g} s", WITHOUT, longer, _in_time(seconds)),
    ]
    most = {name: max(found.get(name, 0.0) for found in losses) for name in {*WITHOUT, *NO_WARM_START}}
    idle = sum(loss < LEAST_LOSS_PERCENT for loss in most.values())
    bench.row(f"ablation, pieces of {len(most)} that lose nothing anywhere", idle, "", 0, "lower")


def _in_time(seconds: float) -> Volume:
    """Of what a search sees in so many seconds."""

    def volume(problem: PlanningProblem, pieces: Pieces) -> float:
        def search(arena: Arena, seed: int) -> None:
            ours(arena, seed, pieces)

        return run("pieces", search, problem, seconds).volume_at(seconds)

    return volume


def _at_effort(problem: PlanningProblem, pieces: Pieces) -> float:
    """Of what a search of the problem's effort simulates."""
    seen: list[ScoredDesign] = []
    propose(problem, _ignore, monotonic, on_judged=seen.append, pieces=pieces)
    curve = QualityCurve.from_model(problem.quality, problem.seed)
    box = box_of(problem, FloorSplits(curve, problem.targets.quality_min, problem.seed))
    return box.volume(seen_at(problem, item, 0.0) for item in seen)


def _compared(
    bench: Bench,
    extent: str,
    without: Mapping[str, Pieces],
    problems: Sequence[PlanningProblem],
    volume: Volume,
) -> Losses:
    """A row for each piece; each problem counts alike, whatever its hypervolume."""
    whole = np.array([volume(problem, ALL) for problem in problems])
    losses: Losses = {}
    for name, pieces in without.items():
        found = np.array([volume(problem, pieces) for problem in problems])
        each = 100 * (1 - found / np.maximum(whole, 1e-9))
        losses[name] = float(each.mean())
        bench.row(f"ablation, {extent}, {name}: hypervolume lost", losses[name], "%", None, "higher")
        bench.note(f"the same, over {len(each)} problems: {each.min():.1f} to {each.max():.1f} %")
    return losses


def _replanned(problem: PlanningProblem) -> PlanningProblem:
    """The problem with the plan that a search of it found in force."""
    return replanned(problem, propose(problem, _ignore, monotonic))


def _ignore(_: Progress) -> None:
    """Only the answer counts."""
