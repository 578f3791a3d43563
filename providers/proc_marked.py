"""The processes that were started with a mark in their environment, wherever they hang in the tree.

It is how a server is ended whole: some of what it starts has sessions and parents of its own.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_WAIT_S = 5.0


def marked(mark: str, *, spare: str) -> frozenset[int]:
    """The processes that live and have the line `mark` in their environment, but for those with `spare`."""
    return frozenset(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _belongs(entry, mark.encode(), spare.encode())
    )


def end_marked(mark: str, *, spare: str) -> None:
    """Kill every such process, and wait until none lives; some start others while they are killed."""
    until = time.monotonic() + _WAIT_S
    while (left := marked(mark, spare=spare)) and time.monotonic() < until:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)


def _belongs(entry: Path, mark: bytes, spare: bytes) -> bool:
    try:
        lines = (entry / "environ").read_bytes().split(b"\0")  # empty once it is a zombie
    except OSError:  # it ended meanwhile, or is somebody else's
        return False
    return mark in lines and spare not in lines
