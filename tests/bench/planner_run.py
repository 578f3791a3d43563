"""Runs one searcher on one problem, alone, and keeps what it saw."""

import gc
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from planner_archive import Box, Seen, by
from planner_arena import Arena

from bouted.planner.problem import PlanningProblem

Searcher = Callable[[Arena, int], None]
"""Searches in an arena, with a seed, until it is late."""

OURS = "bouted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one searcher saw, how many designs it asked about, and what was acceptable."""

    name: str
    seed: int
    seen: tuple[Seen, ...]
    asked: int
    box: Box

    def volume_at(self, seconds: float) -> float:
        """The hypervolume that long after the start."""
        return self.box.volume(by(self.seen, seconds))


def run(name: str, searcher: Searcher, problem: PlanningProblem, seconds: float) -> Run:
    """One anytime run. The problem's seed is that of the searcher and of the judge's traces."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optimisers warn of fits and features; what they find is what counts
        arena = Arena(problem, seconds)
        searcher(arena, problem.seed)
    return Run(name=name, seed=problem.seed, seen=tuple(arena.seen), asked=arena.asked, box=arena.box)
