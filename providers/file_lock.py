"""A file that one process at a time holds: whoever waits for it waits for so long and no longer.

One that is killed lets go by itself. One that is stopped (SIGSTOP, a frozen cgroup, a disk that hangs) does
not, and must not hold up another daemon in silence.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from bouted.errors import Retryable

PATIENCE_S = 20.0
AGAIN_S = 5.0
_LOOK_S = 0.01
_LOCKS = Path("/proc/locks")


@contextmanager
def alone(path: Path, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold `path`, in any number of threads and processes one at a time; Retryable, with the holder's pid,
    when it was not to be had in that time."""
    with path.open("a", encoding="utf-8") as lock:
        _take(lock, path, patience_s)
        yield


def holder(path: Path) -> str:
    """The pid of whoever holds `path`, as the kernel tells; "" when it does not."""
    inode = path.stat().st_ino
    try:
        rows = [line.split() for line in _LOCKS.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    # "1: FLOCK ADVISORY WRITE 4711 fe:00:131 0 EOF"; one that waits has "->" in the second place
    held = (row for row in rows if len(row) > 5 and row[1] == "FLOCK")
    return next((row[4] for row in held if row[5].rpartition(":")[2] == str(inode)), "")


def _take(lock: TextIOWrapper, path: Path, patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while not _taken(lock):
        if time.monotonic() > until:
            who = holder(path)
            told = f"process {who}" if who else "another process"
            raise Retryable(
                f"{told} has held {path} for more than {patience_s:.0f} s",
                after_s=AGAIN_S,
                hint=f"if it was stopped: kill -CONT {who}, or end it" if who else "see: fuser " + str(path),
            )
        time.sleep(_LOOK_S)


def _taken(lock: TextIOWrapper) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
