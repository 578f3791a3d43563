"""Two models: the whole front by a grid over the split and the latency factors, against what is searched."""

from itertools import product

import numpy as np
from planner_archive import by
from planner_arena import Arena
from planner_ours import ours
from planner_run import OURS, Run, run
from planner_scenarios import TWO
from planner_spaces import shares_of

from bouted.planner.capacity import LOOSEST, TIGHTEST
from bouted.planner.design import Design
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.problem import PlannedNode
from bouted.testing.bench import Bench

AT_LEAST = 99.5
SEED = 1
# More time than a grid ever takes.
PATIENT_S = 3600.0


def exhaustive_rows(bench: Bench, seconds: float, shares: int, factors: int) -> None:
    """How much of the exhaustive front's hypervolume the search finds; the same judge for both."""
    problem = TWO.problem(SEED)
    arena = Arena(problem, PATIENT_S)
    fleets = _grid(arena, shares, factors)
    whole = arena.box.volume(arena.seen)
    found = run(OURS, ours, problem, seconds)
    share = 100 * found.box.volume(found.seen) / whole
    bench.row(f"{TWO.name}: hypervolume against the exhaustive front", share, "%", AT_LEAST, "higher")
    bench.note(
        f"exhaustive: {shares} shares x {factors} x {factors} factors, every fleet with every share: "
        f"{fleets} fleets, {len(arena.seen)} judged; searched for {seconds:g} s: {len(found.seen)} judged"
    )
    bench.note(f"at {seconds / 6:g} s: {_percent(found, seconds / 6, whole):.2f} % of it")


def _percent(found: Run, seconds: float, whole: float) -> float:
    return 100 * found.box.volume(by(found.seen, seconds)) / whole


def _grid(arena: Arena, shares: int, factors: int) -> int:
    """Judge the cheapest fleet of every share and pair of factors, and each such fleet with every share."""
    inside = Inside(arena.problem, arena.capacities)
    budget = float(arena.problem.budget.usd_per_hour)
    splits = [(1 - f, f) for f in np.linspace(0.0, 1.0, shares).round(4).tolist()]
    splits = [split for split in splits if arena.curve.low(split) >= arena.problem.targets.quality_min]
    levels = np.linspace(TIGHTEST, LOOSEST, factors).round(3).tolist()
    fleets: set[tuple[PlannedNode, ...]] = set()
    for split, pair in product(splits, product(levels, repeat=2)):
        ask = Ask(shares=split, factors=pair, headroom=0.0, spot_share=1.0, switching=False)
        fleet = inside.cheapest_fleet(ask, budget)
        if isinstance(fleet, Fleet):
            fleets.add(fleet.nodes)
    for nodes, split in product(sorted(fleets, key=_slots), splits):
        arena.scored(Design(nodes=nodes, shares=shares_of(arena.problem, np.array(split))))
    return len(fleets)


def _slots(nodes: tuple[PlannedNode, ...]) -> tuple[str, ...]:
    return tuple(node.slot for node in nodes)
