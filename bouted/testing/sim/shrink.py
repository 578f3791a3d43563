"""Shortens the script of a day that went wrong: delta debugging over its plain list of faults."""

from collections.abc import Callable
from dataclasses import replace

from bouted.testing.sim.faults import Fault, Script
from bouted.testing.sim.run import Day, simulate

MOST_RUNS = 80


def shrink(day: Day, *, run: Callable[[Script], Day] = simulate, most: int = MOST_RUNS) -> Day:
    """A day with as few faults as can be found in `most` runs that still breaks the same invariant.

    `day` must have a violation; it is returned as it is when nothing can be left out.
    """
    assert day.violation is not None
    best, name, left = day, day.violation.name, most

    def still(faults: tuple[Fault, ...]) -> Day | None:
        nonlocal left
        if left <= 0:
            return None
        left -= 1
        tried = run(replace(best.script, faults=faults))
        wrong = tried.violation
        return tried if wrong is not None and wrong.name == name else None

    parts = 2
    while len(best.script.faults) >= 1:
        faults = best.script.faults
        size = max(1, len(faults) // parts)
        chunks = [faults[:at] + faults[at + size :] for at in range(0, len(faults), size)]
        shorter = next((found for rest in chunks if (found := still(rest)) is not None), None)
        if shorter is not None:
            best, parts = shorter, max(2, parts - 1)
        elif size == 1 or left <= 0:
            break
        else:
            parts = min(len(faults), parts * 2)
    return best


def told(day: Day, lines: int = 120) -> str:
    """For people: the seed, what was broken, the faults that are left, and the end of the trace."""
    trace = day.trace if len(day.trace) <= lines else ("...", *day.trace[-lines:])
    return "\n".join(
        (
            f"seed {day.script.seed}: {day.violation or 'nothing went wrong'}",
            *(f"  {fault}" for fault in day.script.faults),
            "trace:",
            *(f"  {line}" for line in trace),
        )
    )
