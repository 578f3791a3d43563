"""Loads the plug-ins that a config names, by entry point, and nothing else.

Groups: `bouted.prices`, `bouted.launchers`, `bouted.policies`. Third parties plug in the same way.
"""

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import Any

from bouted.errors import Misconfigured


@cache
def _points(group: str) -> EntryPoints:
    """Looking takes tens of milliseconds, and nothing is installed under a running process."""
    return entry_points(group=group)


def names(group: str) -> tuple[str, ...]:
    """Names installed under `group`, sorted."""
    return tuple(sorted(point.name for point in _points(group)))


def load(group: str, name: str) -> Any:
    """The object behind `name` in `group`; Misconfigured with a "did you mean" when there is none."""
    for point in _points(group):
        if point.name == name:
            return point.load()
    known = names(group)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"installed: {', '.join(known) or 'none'}"
    raise Misconfigured(group, f"no plug-in named {name!r}", hint=hint)
