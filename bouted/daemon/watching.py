"""Notices edits of the config file: the folder is watched, so that atomic renames are seen too."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from watchfiles import awatch

DEBOUNCE_MS = 400


async def watch_files(paths: tuple[Path, ...], changed: Callable[[], None], stop: asyncio.Event) -> None:
    """Call `changed` once per burst of edits to any of `paths`, until `stop` is set.

    A file that is replaced has a new inode, and a mounted config map swaps a link beside it; both show
    as a change in the folder.
    """
    folders = sorted({path.parent for path in paths})
    names = {path.name for path in paths} | {"..data"}
    changes = awatch(*folders, stop_event=stop, debounce=DEBOUNCE_MS, recursive=False, rust_timeout=500)
    async for burst in changes:
        if any(Path(path).name in names for _, path in burst):
            changed()
