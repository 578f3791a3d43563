"""Whether the daemon lives, from what it left behind: its board, its lease, and its process if it is here."""

import os
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from bouted.store.read_board import StoredStatus

SILENT_AFTER = timedelta(seconds=60)
_PROCESSES = Path("/proc")


class Life(StrEnum):
    """Silent: the process is there but has not written for a while."""

    RUNNING = "running"
    SILENT = "silent"
    GONE = "gone"


def daemon_life(stored: StoredStatus, now: datetime) -> Life:
    """What the signs say `now`. Here a dead process shows at once, elsewhere when its lease ends."""
    here = _runs(stored)
    leased = stored.daemon_alive(now)
    if here is False or (here is None and not leased):
        return Life.GONE
    written = datetime.fromisoformat(stored.board.written_at) if stored.board else now
    return Life.RUNNING if leased and now - written <= SILENT_AFTER else Life.SILENT


def _runs(stored: StoredStatus) -> bool | None:
    """Whether the board's process exists; None when the lease is not of this machine ("host:folder")."""
    if stored.board is None or stored.holder.partition(":")[0] != os.uname().nodename:
        return None
    return _exists(stored.board.pid)


def _exists(pid: int) -> bool:
    """A bouted runs under this pid: not one that has died and waits to be reaped, nor some other program."""
    if _PROCESSES.is_dir():
        try:
            return b"bouted" in (_PROCESSES / str(pid) / "cmdline").read_bytes()
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
