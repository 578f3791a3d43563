"""The processes of one session, wherever they hang in the tree: how a server is ended whole."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_SESSION = 3  # field of /proc/PID/stat after the command's name: state, ppid, pgrp, session
_WAIT_S = 5.0
_ZOMBIE = "Z"


def members(session: int, mark: str) -> frozenset[int]:
    """The processes of a session that live and were started with the line `mark` in their environment.

    Numbers of sessions come round again; the mark tells whose they are.
    """
    return frozenset(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _belongs(entry, session, mark)
    )


def end_session(session: int, mark: str) -> None:
    """Kill every such process, and wait until none lives; some start others while they are killed."""
    until = time.monotonic() + _WAIT_S
    while (left := members(session, mark)) and time.monotonic() < until:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _collect(session)
        time.sleep(0.05)
    _collect(session)


def _belongs(entry: Path, session: int, mark: str) -> bool:
    try:
        fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
        if int(fields[_SESSION]) != session or fields[0] == _ZOMBIE.encode():
            return False
        return mark.encode() in (entry / "environ").read_bytes().split(b"\0")
    except (OSError, IndexError, ValueError):  # it ended meanwhile, or is somebody else's
        return False


def _collect(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
