"""One daemon per state folder, by a lock the kernel drops when the process ends."""

import fcntl
import os
from pathlib import Path

from bouted.errors import AlreadyRunning, Misconfigured


class StateLock:
    """Holds `<state_dir>/daemon.lock` from `take` until `release` or the end of the process."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "daemon.lock"
        self._fd: int | None = None

    def take(self) -> None:
        """Take the lock; AlreadyRunning names the holder."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Misconfigured(
                str(self._path), f"cannot be written: {error.strerror}", hint="check state_dir's owner"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise AlreadyRunning(
                f"another bouted (pid {holder}) runs on {self._path.parent}",
                hint="stop it first, or use another state_dir",
            ) from error
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd

    def release(self) -> None:
        """Drop the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
