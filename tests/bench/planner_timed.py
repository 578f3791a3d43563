"""Seconds to a plan within 1 % of our own ten-minute answer, in a warm process."""

from dataclasses import dataclass
from pathlib import Path

from planner_archive import Seen, cheapest, first_within
from planner_arena import Arena
from planner_ours import ours
from planner_run import OURS, run
from planner_scenarios import FOUR, LIVE, THREE, Scenario
from planner_tables import CACHE

import bouted.planner
from bouted.codec import content_hash, dump
from bouted.planner.problem import PlanningProblem
from bouted.testing.bench import Bench

SEED = 1
# A run that does not get there is stopped after this many times its target.
PATIENCE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A scenario, and the seconds its plan may take."""

    scenario: Scenario
    what: str
    target_s: float


TIMED = (
    Timed(scenario=THREE, what="3 types/24 GPUs/3 models", target_s=5.0),
    Timed(scenario=FOUR, what="6 types/48 GPUs/4 models", target_s=15.0),
    Timed(scenario=LIVE, what="20 types/500 live-like offers/4 models", target_s=60.0),
)


def timed_rows(bench: Bench, reference_s: float, *, live: bool) -> None:
    """A row for each size; without `live` the largest is left to the full run. What is never reached shows
    as the time after which we gave up, twice the target."""
    for timed in TIMED:
        name = f"time to a plan within 1 % of our own {reference_s:g} s answer: {timed.what}"
        if timed.scenario is LIVE and not live:
            bench.row(name, None, "s", timed.target_s, "lower")
            continue
        problem = timed.scenario.problem(SEED)
        best = _reference(problem, reference_s)
        limit_s = PATIENCE * timed.target_s
        seen = _until(problem, best, limit_s)
        reached_s = first_within(seen, best)
        bench.row(name, limit_s if reached_s is None else reached_s, "s", timed.target_s, "lower")
        if reached_s is None:
            found = cheapest(seen)
            bench.note(f"{timed.what}: not reached in {limit_s:g} s; ${found} an hour against ${best}")


def _until(problem: PlanningProblem, best: float | None, limit_s: float) -> tuple[Seen, ...]:
    """What a run saw that ends when it is close enough to `best` $/h, or late."""

    def search(arena: Arena, seed: int) -> None:
        ours(arena, seed, enough=lambda: first_within(arena.seen, best) is not None)

    return run(OURS, search, problem, limit_s).seen


def _reference(problem: PlanningProblem, seconds: float) -> float | None:
    """Our cheapest answer after that long; kept by a hash of the problem, the planner's code and the time."""
    folder = Path(bouted.planner.__file__).parent
    code = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    said = dump(PlanningProblem, problem) + code + str(seconds).encode()
    path = CACHE / f"reference-{content_hash(said)}.txt"
    if path.exists():
        return float(path.read_text(encoding="utf-8"))
    best = cheapest(run(OURS, ours, problem, seconds).seen)
    if best is not None:
        CACHE.mkdir(parents=True, exist_ok=True)
        path.write_text(str(best), encoding="utf-8")
    return best
