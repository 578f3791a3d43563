"""Three and four models: every searcher for a minute, alone, read at a sixth, a half and the end of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from planner_charts import Line, line_chart
from planner_compared import Cell
from planner_run import Run, run
from planner_scenarios import FOUR, THREE, Scenario
from planner_searchers import SEARCHERS

from bouted.testing.bench import Bench

FOLDER = Path("build/bench")
READ_AT = (1 / 6, 1 / 2, 1.0)
MOST_BELOW = 0.5
CELLS_BEST = 50.0
STEPS = 60


def anytime_rows(bench: Bench, seconds: float, seeds: Sequence[int]) -> None:
    """A row for each scenario and time, then how often we are strictly best."""
    cells: list[Cell] = []
    for scenario in (THREE, FOUR):
        runs = _runs(scenario, seconds, seeds)
        found = [_cell(scenario, seconds * part, runs) for part in READ_AT]
        for cell in found:
            name = f"{scenario.name}, hypervolume at {cell.seconds:g} s: below the best peer"
            bench.row(name, cell.below_percent, "%", MOST_BELOW, "lower")
        _tell(bench, scenario, found, runs)
        _plot(scenario, seconds, runs)
        cells += found
    best = 100 * float(np.mean([cell.strictly_best for cell in cells]))
    bench.row("cells (scenario and time) in which we are strictly best", best, "%", CELLS_BEST, "higher")


def warm(seconds: float) -> None:
    """Let every searcher load and compile what it needs, so that no run pays for it."""
    problem = THREE.problem(1)
    for name, searcher in SEARCHERS.items():
        run(name, searcher, problem, seconds)


def _runs(scenario: Scenario, seconds: float, seeds: Sequence[int]) -> list[Run]:
    """Seed by seed, every searcher in turn: what slows the machine for a while slows all alike."""
    return [
        run(name, searcher, scenario.problem(seed), seconds)
        for seed in seeds
        for name, searcher in SEARCHERS.items()
    ]


def _cell(scenario: Scenario, seconds: float, runs: list[Run]) -> Cell:
    volumes = {name: [one.volume_at(seconds) for one in runs if one.name == name] for name in SEARCHERS}
    return Cell(scenario=scenario.name, seconds=seconds, volumes=volumes)


def _tell(bench: Bench, scenario: Scenario, cells: list[Cell], runs: list[Run]) -> None:
    """Every searcher's mean and spread over seeds."""
    for name in SEARCHERS:
        parts = [
            f"{cell.seconds:g} s {np.mean(cell.volumes[name]):.4f} "
            f"({min(cell.volumes[name]):.4f}..{max(cell.volumes[name]):.4f})"
            for cell in cells
        ]
        judged = np.mean([len(one.seen) for one in runs if one.name == name])
        bench.note(f"{scenario.name}, {name}: {', '.join(parts)}; {judged:.0f} judged")


def _plot(scenario: Scenario, seconds: float, runs: list[Run]) -> None:
    times = np.linspace(seconds / STEPS, seconds, STEPS)
    slug = f"{len(scenario.models)}-models"
    growth = [
        Line(
            name=name,
            points=tuple(
                (float(at), float(np.mean([one.volume_at(at) for one in runs if one.name == name])))
                for at in times
            ),
        )
        for name in SEARCHERS
    ]
    line_chart(FOLDER / f"planner-{slug}-volume.svg", scenario.name, "seconds", "hypervolume", growth)
    first = min(one.seed for one in runs)
    fronts = [
        Line(name=one.name, points=_cost_and_p95(one), joined=False) for one in runs if one.seed == first
    ]
    line_chart(FOLDER / f"planner-{slug}-front.svg", scenario.name, "$/h", "P95, s", fronts)


def _cost_and_p95(one: Run) -> tuple[tuple[float, float], ...]:
    rows = one.box.front(one.seen)
    return tuple(
        (float(usd) * one.box.budget_usd_per_hour, float(p95) * one.box.target_p95_s) for usd, p95, _ in rows
    )
