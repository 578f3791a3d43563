"""`make bench-planner`: the planner against the paper, its rivals, its own best, and without its pieces.

QUICK=1 is under five minutes: one seed, seconds instead of minutes, and no row for the largest problem.
SECONDS and SEEDS shrink the anytime runs alone; ROWS names the parts to run (see `PARTS`), all by default.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from planner_ablation import ablation_rows
from planner_again import again_rows
from planner_anytime import anytime_rows, warm
from planner_exhaustive import Grid, exhaustive_rows
from planner_independent import independent_rows
from planner_paper import paper_rows
from planner_timed import timed_rows

from bouted.planner.simulate_judge import warm as warm_simulator
from bouted.planner.surrogate import warm as warm_surrogate
from bouted.testing.bench import Bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How long everything may take: seconds of a run, and seeds."""

    quick: bool
    seconds: float
    seeds: tuple[int, ...]
    joint_s: float
    pieces_s: float
    found_s: float
    grid: Grid
    reference_s: float
    warm_s: float


def extent(environment: Mapping[str, str]) -> Extent:
    """What the environment asks for."""
    quick = environment.get("QUICK") == "1"
    count = int(environment.get("SEEDS", "1" if quick else "3"))
    return Extent(
        quick=quick,
        seconds=float(environment.get("SECONDS", "4" if quick else "60")),
        seeds=tuple(range(1, count + 1)),
        joint_s=3.0 if quick else 15.0,
        pieces_s=5.0 if quick else 30.0,
        found_s=10.0 if quick else 60.0,
        grid=Grid(shares=11, factors=3, loads=3) if quick else Grid(shares=26, factors=6, loads=6),
        reference_s=8.0 if quick else 600.0,
        warm_s=0.0 if quick else 3.0,
    )


def anytime(bench: Bench, how: Extent) -> None:
    """The anytime rows, after everybody has loaded what they need."""
    if how.warm_s:
        warm(how.warm_s)
    anytime_rows(bench, how.seconds, how.seeds)


PARTS: Mapping[str, Callable[[Bench, Extent], None]] = {
    "paper": lambda bench, how: paper_rows(bench, how.quick),
    "independent": lambda bench, how: independent_rows(bench, how.joint_s, quick=how.quick),
    "exhaustive": lambda bench, how: exhaustive_rows(bench, how.found_s, how.grid),
    "anytime": anytime,
    "timed": lambda bench, how: timed_rows(bench, how.reference_s, live=not how.quick),
    "again": lambda bench, how: again_rows(bench),
    "ablation": lambda bench, how: ablation_rows(bench, how.pieces_s, how.seeds),
}


def main() -> int:
    """Every row of the bench, in order."""
    torch.set_num_threads(1)
    how = extent(os.environ)
    wanted = os.environ.get("ROWS", ",".join(PARTS)).split(",")
    bench = Bench("planner")
    warm_simulator()
    warm_surrogate()
    if how.quick:
        bench.note("QUICK: one seed and seconds instead of minutes; targets are meant for the full run")
    bench.note(
        f"seeds {', '.join(map(str, how.seeds))}; {how.seconds:g} s a run, one at a time, one thread each; "
        "quality is synthetic: latent abilities (planner_ability.py)"
    )
    for name, part in PARTS.items():
        if name in wanted:
            part(bench, how)
        else:
            bench.note(f"rows of {name} were not asked for")
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
