"""Notices edits of the config file: the folder is watched, so that atomic renames are seen too."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from watchfiles import awatch

log = logging.getLogger(__name__)

DEBOUNCE_MS = 400


async def watch_files(
    paths: Callable[[], tuple[Path, ...]], changed: Callable[[], None], stop: asyncio.Event
) -> None:
    """Call `changed` once per burst of edits to any of `paths`, until `stop` is set.

    A file that is replaced has a new inode, and a mounted config map swaps a link beside it; both show
    as a change in the folder. The list of paths is read again after every change.
    """
    while not stop.is_set():
        watched = paths()
        folders = {path.parent for path in watched if path.parent.is_dir()}
        names = {path.name for path in watched} | {"..data"}
        async for changes in awatch(
            *folders, stop_event=stop, debounce=DEBOUNCE_MS, recursive=False, rust_timeout=500
        ):
            if any(Path(changed_path).name in names for _, changed_path in changes):
                changed()
                break
