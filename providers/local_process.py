"""Processes that outlive their parent: started apart, held by a lock, ended as a group. Linux."""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LOCK_FD = 3  # where a spawned process finds the lock it was born with
_PASSED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV")
_TRIES, _TRY_S = 20, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """One process, never mistaken for another: the kernel hands out a pid again, but not at the same tick."""

    pid: int
    start_ticks: int


def identify(pid: int) -> ProcessId | None:
    """The process that has this pid now; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is a name in parentheses that may hold anything; the start time is the 22nd.
    return ProcessId(pid=pid, start_ticks=int(stat.rpartition(")")[2].split()[19]))


def signal_group(process: ProcessId, number: signal.Signals) -> bool:
    """Signal the process group that `process` leads; False when the process is gone."""
    if identify(process.pid) != process:
        return False
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def spawn(argv: tuple[str, ...], *, log: Path, lock_fd: int, more: Mapping[str, str] | None = None) -> int:
    """Start `argv` in a session of its own and return its pid.

    Of all that this process opened it has only the lock behind `lock_fd`, which it holds as LOCK_FD until
    it ends, however it ends. Its output goes to `log`. The environment is cut to what Python needs, so no
    cloud credentials leak into it; `more` comes on top.
    """
    held = fcntl.fcntl(lock_fd, fcntl.F_DUPFD_CLOEXEC, 10)  # clear of the four descriptors set below
    try:
        return os.posix_spawn(
            argv[0],
            argv,
            {key: os.environ[key] for key in _PASSED_ON if key in os.environ} | dict(more or {}),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, held, LOCK_FD),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGHUP, signal.SIGINT, signal.SIGTERM),
        )
    finally:
        os.close(held)


def python_module(module: str, *args: str) -> tuple[str, ...]:
    """The command that runs `module` in this interpreter, blind to what lies in the working directory."""
    return (sys.executable, "-P", "-m", module, *args)


def reap(pids: set[int]) -> None:
    """Collect those of our own children that have ended, and forget them."""
    for pid in tuple(pids):
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            ended = True
        if ended:
            pids.discard(pid)


def take_lock(path: Path) -> int | None:
    """A descriptor that holds the lock on `path` until it is closed; None when somebody else holds it.

    Looking at a lock (`is_locked`) takes it for an instant, so a few tries tell a look from a holder.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            time.sleep(_TRY_S)
    os.close(fd)
    return None


def is_locked(path: Path) -> bool:
    """Does a live process hold the lock on `path`?"""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
