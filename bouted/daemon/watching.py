"""Notices edits of files: their folders are watched, so that atomic renames are seen too."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from watchfiles import awatch

DEBOUNCE_MS = 400
LOOK_UP_MS = 500


async def watch_files(
    paths: Callable[[], tuple[Path, ...]], changed: Callable[[], None], stop: asyncio.Event
) -> None:
    """Call `changed` once per burst of edits to any of `paths()`, until `stop` is set.

    A file that is replaced has a new inode, and a mounted config map swaps a link beside it; both show
    as a change in the folder. When `paths()` come to be others, those are watched.
    """
    while not stop.is_set():
        await _watch(paths, changed, stop)


async def _watch(
    paths: Callable[[], tuple[Path, ...]], changed: Callable[[], None], stop: asyncio.Event
) -> None:
    """The same until `paths()` are others than at first."""
    watched = paths()
    names = {path.name for path in watched} | {"..data"}
    folders = sorted({path.parent for path in watched})
    changes = awatch(
        *folders,
        stop_event=stop,
        debounce=DEBOUNCE_MS,
        recursive=False,
        rust_timeout=LOOK_UP_MS,
        yield_on_timeout=True,
    )
    async for burst in changes:
        if any(Path(path).name in names for _, path in burst):
            changed()
        if paths() != watched:
            return
