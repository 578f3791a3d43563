"""How far the search went that found a plan, in words. Pure."""

from bouted.cli.units import count
from bouted.planner.design import Ended, Frontier

ENDED = {
    Ended.DONE: "done",
    Ended.DEADLINE: "ended by its deadline: a longer one may find better",
    Ended.STOPPED: "stopped by somebody: a longer one may find better",
}


def search_words(frontier: Frontier) -> str:
    """One line: what was tried, for how long, and whether it was cut short."""
    found = f"{count(frontier.swept, 'ask')} solved, {count(frontier.simulated, 'design')} simulated"
    return f"{found} in {frontier.seconds:.1f} s, {ENDED[frontier.ended]}"
