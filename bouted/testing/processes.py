"""Real processes in tests: wait for them with a deadline, and end what a test left running."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

_LOOKS, _LOOK_S = 100, 0.001


def until(done: Callable[[], object], patience_s: float = 30.0) -> None:
    """Wait until `done()` is true; AssertionError when it is not in time."""
    deadline = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s} s in vain")
        time.sleep(0.01)


def end_engines(state_dir: Path) -> None:
    """Kill every local engine that works in `state_dir`, and wait until they are gone."""

    def none_left() -> bool:
        pids = engines(state_dir)
        for pid in pids:
            _kill(pid)
        return not pids

    until(none_left)


def end_kept(state_dir: Path) -> None:
    """Kill every keeper of local nodes in `state_dir` and all that they started, and wait until they are
    gone."""

    def none_left() -> bool:
        pids = kept(state_dir)
        for pid in pids:
            _kill(pid)
        return not pids

    until(none_left)


def kept(state_dir: Path) -> list[int]:
    """The pids of keepers and engines of local nodes in `state_dir`: they name its files or work there."""
    folder = f"{state_dir}/local/kept/"
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        if folder.encode() in _command(entry) or f"{_workplace(entry)}/".startswith(folder):
            found.append(int(entry.name))
    return found


def engines(state_dir: Path) -> list[int]:
    """The pids of local engines whose command names a file under `state_dir`."""
    mark = f"{state_dir}/".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        command = _command(entry)
        if b"bouted.providers.local_engine" in command and mark in command:
            found.append(int(entry.name))
    return found


def _command(entry: Path) -> bytes:
    """The command line of a process, b"" for none. One that has just started shows none for an instant."""
    for _ in range(_LOOKS):
        try:
            command = (entry / "cmdline").read_bytes()
            if command:
                return command
            (entry / "exe").readlink()  # the kernel's threads and the dead have none
        except (FileNotFoundError, ProcessLookupError):
            return b""
        time.sleep(_LOOK_S)
    return b""


def _workplace(entry: Path) -> str:
    try:
        return str((entry / "cwd").readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    except (ChildProcessError, ProcessLookupError):
        return
