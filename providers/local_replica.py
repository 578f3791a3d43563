"""One engine process on this machine: started once, seen for certain, ended for certain.

The engine holds `<replica>.lock` from before it is born until it is dead: the launcher takes the lock and
the engine inherits it. So there is no instant at which two engines can bear one name, or at which one
lives unseen, wherever a launcher is killed.
"""

import os
import signal
from datetime import datetime, timedelta

from bouted.errors import Gone, NotYet
from bouted.reconcile.launcher import SeenReplica

from .local_files import EngineSpec, ReplicaFiles, read_json, write_json
from .local_process import LOCK_FD, is_locked, python_module, signal_group, spawn, take_lock

STOP_GRACE_S = 4.0  # what a stopped engine gives its running streams
KILL_AFTER_S = 6.0  # when an engine that was asked to stop is killed
MOST_PIECE = 2**20


def start(files: ReplicaFiles, spec: EngineSpec) -> int | None:
    """Start the engine and return its pid; None when it runs already. NotYet while an older one is ending."""
    if is_locked(files.lock):
        if files.stop.exists():
            raise NotYet(f"replica {files.name} is still ending")
        return None
    lock_fd = take_lock(files.lock)
    if lock_fd is None:
        return None
    try:
        _forget(files)
        spec.write(files.spec)
        module = python_module("bouted.providers.local_engine", "--spec", str(files.spec))
        pid = spawn((*module, "--lock-fd", str(LOCK_FD)), log=files.log, lock_fd=lock_fd)
        files.write_pid(pid)
        return pid
    finally:
        os.close(lock_fd)


def stop(files: ReplicaFiles, now: datetime) -> None:
    """End the engine: politely first, by force after KILL_AFTER_S. NotYet until it is gone.

    When the stop began is on disk, so whoever asks again, this launcher or the next, goes on from there.
    """
    if not files.lock.exists():
        return
    if is_locked(files.lock):
        _signal(files, now)
        raise NotYet(f"replica {files.name} is ending")
    lock_fd = take_lock(files.lock)
    if lock_fd is None:
        raise NotYet(f"replica {files.name} is just starting")
    try:
        _forget(files)
        files.lock.unlink(missing_ok=True)
    finally:
        os.close(lock_fd)


def look(files: ReplicaFiles, node: str) -> SeenReplica | None:
    """The engine as it is now; None when none lives."""
    if not is_locked(files.lock):
        return None
    process = files.read_process()
    endpoint = read_json(files.endpoint).get("endpoint", "")
    return SeenReplica(name=files.name, node=node, endpoint=endpoint, pid=process.pid if process else None)


def log(files: ReplicaFiles, start: int) -> tuple[str, int]:
    """What the engine wrote from byte `start` on, counted from the end if negative, a piece at a time, and
    where the next one begins; Gone when none was ever started."""
    try:
        with files.log.open("rb") as written:
            size = written.seek(0, os.SEEK_END)
            at = written.seek(max(size + start, 0) if start < 0 else start if start <= size else 0)
            piece = written.read(MOST_PIECE)
    except FileNotFoundError:
        raise Gone(f"replica {files.name} was never started here") from None
    return piece.decode("utf-8", "replace"), at + len(piece)


def _signal(files: ReplicaFiles, now: datetime) -> None:
    began = _stop_began(files, now)
    process = files.read_process()
    if process is not None:
        late = now - began > timedelta(seconds=KILL_AFTER_S)
        signal_group(process, signal.SIGKILL if late else signal.SIGTERM)


def _stop_began(files: ReplicaFiles, now: datetime) -> datetime:
    written = read_json(files.stop).get("began_at")
    if isinstance(written, str):
        return datetime.fromisoformat(written)
    write_json(files.stop, {"began_at": now.isoformat()})
    return now


def _forget(files: ReplicaFiles) -> None:
    """Remove what an engine that is dead left behind; its log stays. The caller holds its lock."""
    for path in (files.spec, files.pid, files.endpoint, files.stop):
        path.unlink(missing_ok=True)
