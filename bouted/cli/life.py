"""Whether the daemon lives, from what it left behind: its board, its lease, and its process if it is here."""

import os
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from bouted.store.read_board import StoredStatus

SILENT_AFTER = timedelta(seconds=60)
_LOCK = "daemon.lock"  # the daemon's lock file in the state folder; it holds the pid


class Life(StrEnum):
    """Silent: the process is there but has not written for a while."""

    RUNNING = "running"
    SILENT = "silent"
    GONE = "gone"


def daemon_life(stored: StoredStatus, state_dir: Path, now: datetime) -> Life:
    """What the signs say `now`. Here a dead process shows at once, elsewhere when its lease ends."""
    here = _runs(state_dir, stored)
    leased = stored.daemon_alive(now)
    if here is False or (here is None and not leased):
        return Life.GONE
    written = datetime.fromisoformat(stored.board.written_at) if stored.board else now
    return Life.RUNNING if leased and now - written <= SILENT_AFTER else Life.SILENT


def _runs(state_dir: Path, stored: StoredStatus) -> bool | None:
    """Whether the board's process exists; None when that daemon is not of this machine."""
    try:
        pid = int((state_dir / _LOCK).read_text().strip())
    except (OSError, ValueError):
        return None
    if stored.board is None or pid != stored.board.pid:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
