"""bouted's own search, for as long as the arena lasts."""

from time import monotonic

from planner_arena import Arena
from planner_scenarios import within

from bouted.planner.design import Progress
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.search import propose


def ours(arena: Arena, seed: int, pieces: Pieces = ALL) -> None:
    """Every design that it simulates goes into the archive."""
    problem = within(arena.problem, arena.left_s())
    assert problem.seed == seed, "the search's seed is that of its judge"
    propose(problem, _ignore, monotonic, on_judged=arena.keep, stop=arena.late, pieces=pieces)


def _ignore(_: Progress) -> None:
    """Only judgements count."""
