"""Two models: the whole front by a grid over the split and the latency factors, against what is searched."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from planner_arena import Arena
from planner_ours import ours
from planner_run import OURS, run
from planner_scenarios import TWO
from planner_spaces import shares_of

from bouted.planner.design import Design
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.planned import PlannedNode
from bouted.testing.bench import Bench

AT_LEAST = 99.5
# Shares of the latency target, and multiples of the load, that fleets are asked to carry.
LEAST_FACTOR, MOST_FACTOR, MOST_LOAD = 0.3, 1.2, 4.0
SEED = 1
# More time than a grid ever takes.
PATIENT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How many shares of the large model, and how many latency factors and loads per model."""

    shares: int
    factors: int
    loads: int


def exhaustive_rows(bench: Bench, seconds: float, grid: Grid) -> None:
    """How much of the exhaustive front's hypervolume the search finds; the same judge for both."""
    problem = TWO.problem(SEED)
    arena = Arena(problem, PATIENT_S)
    fleets = _judge_all(arena, grid)
    whole = arena.box.volume(arena.seen)
    found = run(OURS, ours, problem, seconds)
    share = 100 * found.volume_at(seconds) / max(whole, 1e-9)
    bench.row(f"{TWO.name}: hypervolume against the exhaustive front", share, "%", AT_LEAST, "higher")
    bench.note(
        f"exhaustive: {grid.shares} shares x {grid.factors} factors a model x {grid.loads} loads, each fleet "
        f"with each share: {fleets} fleets, {len(arena.seen)} judged, hypervolume {whole:.4f}"
    )
    early = 100 * found.volume_at(seconds / 6) / max(whole, 1e-9)
    bench.note(
        f"searched for {seconds:g} s, {len(found.seen)} judged; {early:.2f} % of it at a sixth of that"
    )


def _judge_all(arena: Arena, grid: Grid) -> int:
    """Judge each cheapest fleet with every share that it can carry; answers how many fleets."""
    floor = arena.problem.targets.quality_min
    splits = [(1 - f, f) for f in np.linspace(0.0, 1.0, grid.shares).round(4).tolist()]
    splits = [split for split in splits if arena.curve.low(split) >= floor]
    fleets = _fleets(arena, splits, grid)
    for nodes, split in product(fleets, splits):
        arena.scored(Design(nodes=nodes, shares=shares_of(arena.problem, np.array(split))))
    return len(fleets)


def _fleets(arena: Arena, splits: list[tuple[float, float]], grid: Grid) -> list[tuple[PlannedNode, ...]]:
    """The cheapest fleet of every share, pair of factors and load, each once."""
    inside = Inside(arena.problem, arena.capacities)
    budget = float(arena.problem.budget.usd_per_hour)
    factors = np.linspace(LEAST_FACTOR, MOST_FACTOR, grid.factors).round(3).tolist()
    loads = (np.geomspace(1.0, MOST_LOAD, grid.loads) - 1).round(3).tolist()
    found: dict[tuple[str, ...], tuple[PlannedNode, ...]] = {}
    for split, pair, headroom in product(splits, product(factors, repeat=2), loads):
        ask = Ask(shares=split, factors=pair, headroom=headroom, spot_share=1.0, switching=False)
        fleet = inside.cheapest_fleet(ask, budget)
        if isinstance(fleet, Fleet):
            found.setdefault(tuple(node.slot for node in fleet.nodes), fleet.nodes)
    return [found[slots] for slots in sorted(found)]
