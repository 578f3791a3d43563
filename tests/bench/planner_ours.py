"""bouted's own search, for as long as the arena lasts."""

from collections.abc import Callable
from time import monotonic

from planner_arena import Arena
from planner_scenarios import within

from bouted.planner.design import Progress
from bouted.planner.pieces import ALL, Pieces
from bouted.planner.search import propose


def _never() -> bool:
    return False


def ours(arena: Arena, seed: int, pieces: Pieces = ALL, enough: Callable[[], bool] = _never) -> None:
    """Every design that it simulates goes into the archive. It ends early when `enough` says so."""
    problem = within(arena.problem, arena.left_s())
    assert problem.seed == seed, "the search's seed is that of its judge"

    def stop() -> bool:
        return arena.late() or enough()

    propose(problem, _ignore, monotonic, on_judged=arena.keep, stop=stop, pieces=pieces)


def _ignore(_: Progress) -> None:
    """Only judgements count."""
