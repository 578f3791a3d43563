"""Joint planning against an independent autoscaler and an independently tuned router, at equal spend.

Both sides keep the same quality floor and are judged by the same judge. At equal spend, the lowest P95 within
the budget counts; at equal targets, the lowest $/h. Some cells are chosen so that nothing can be gained.
"""

from dataclasses import replace

import numpy as np
from planner_archive import Seen
from planner_arena import Arena
from planner_autoscale import Scale, mixed, one_type, scaled, sizes, tuned_split
from planner_compared import Compared
from planner_melange import buckets_of
from planner_ours import ours
from planner_run import OURS, run
from planner_scenarios import FOUR, THREE, TWO, Scenario

from bouted.planner.goals import Preference, Rule
from bouted.planner.problem import PlanningProblem
from bouted.testing.bench import Bench

SEED = 1
GAIN = 15.0
NOTHING_PERCENT = 1.0
# What each model is scaled for, until the money is spent: a share of the target, and a multiple of its load.
AIMS = (
    *((factor, 1.0) for factor in (1.2, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)),
    *((factor, load) for load in (1.25, 1.6, 2.0, 3.0) for factor in (1.0, 0.5)),
)
PATIENT_S = 3600.0

CELLS = (
    THREE,
    replace(THREE, name="the same, floor 0.76", floor=0.76),
    replace(THREE, name="the same, floor 0.86", floor=0.86),
    replace(THREE, name="the same, half the load and the money", rate_per_s=25.0, budget_usd_per_hour=25.0),
    TWO,
    replace(TWO, name="the same, floor 0.86", floor=0.86),
    FOUR,
    replace(FOUR, name="the same, floor 0.86", floor=0.86),
)
# One GPU type with one good layout, and a floor that the smallest model meets: nothing to decide together.
HONEST = (
    replace(TWO, name="2 models, 8 H100 only", gpus=("H100-80GB",), budget_usd_per_hour=26.4),
    replace(TWO, name="2 models, no floor", floor=0.5, budget_usd_per_hour=8.0),
)
QUICK_CELLS = (THREE, TWO)
QUICK_HONEST = HONEST[1:]


def independent_rows(bench: Bench, seconds: float, *, quick: bool) -> None:
    """The gain over cells, its two parts, and how often there is none."""
    cells = [_compared(cell, seconds) for cell in (QUICK_CELLS if quick else CELLS)]
    honest = [_compared(cell, seconds) for cell in (QUICK_HONEST if quick else HONEST)]
    what = "v independent autoscaler + tuned router, median over cells"
    gain = float(np.median([cell.gain_percent for cell in cells]))
    faster = float(np.median([cell.faster_percent for cell in cells]))
    cheaper = float(np.median([cell.cheaper_percent for cell in cells]))
    bench.row(f"{what}: lower P95 at equal spend or cheaper at equal P95", gain, "%", GAIN, "higher")
    bench.row(f"{what}: P95 lower at equal spend and quality", faster, "%", None, "higher")
    bench.row(f"{what}: cheaper at equal P95 and quality", cheaper, "%", None, "higher")
    nothing = sum(cell.gain_percent < NOTHING_PERCENT for cell in [*cells, *honest])
    name = f"the same, cells of {len(cells) + len(honest)} in which joint planning gains under 1 %"
    bench.row(name, nothing, "cells", None, "lower")
    for cell in [*cells, *honest]:
        bench.note(
            f"{cell.name}: P95 {_told(cell.ours_p95_s)} s v {_told(cell.theirs_p95_s)} s at equal spend, "
            f"${_told(cell.ours_usd)} v ${_told(cell.theirs_usd)} an hour at equal targets"
        )


def _compared(cell: Scenario, seconds: float) -> Compared:
    problem = cell.problem(SEED)
    theirs = _theirs(problem)
    cheapest = run(OURS, ours, problem, seconds).seen
    fast = replace(problem, preference=Preference(rule=Rule.FASTEST))
    fastest = run(OURS, ours, fast, seconds).seen
    both = (*cheapest, *fastest)
    return Compared(
        name=cell.name,
        ours_p95_s=_least_p95(both),
        theirs_p95_s=_least_p95(theirs),
        ours_usd=_least_usd(both),
        theirs_usd=_least_usd(theirs),
    )


def _theirs(problem: PlanningProblem) -> tuple[Seen, ...]:
    """Both autoscalers at every aim, with the tuned split; all of them count for the other side."""
    arena = Arena(problem, PATIENT_S)
    split = tuned_split(arena, sizes([rules.name for rules in problem.models]))
    scales: tuple[Scale, ...] = (one_type, mixed(buckets_of(problem)))
    for scale in scales:
        for factor, load in AIMS:
            design = scaled(arena, split, scale, factor=factor, load=load)
            if design is not None:
                arena.scored(design)
    return tuple(arena.seen)


def _least_p95(seen: tuple[Seen, ...]) -> float | None:
    return min((item.p95_s for item in seen if item.feasible), default=None)


def _least_usd(seen: tuple[Seen, ...]) -> float | None:
    return min((item.usd_per_hour for item in seen if item.feasible), default=None)


def _told(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
