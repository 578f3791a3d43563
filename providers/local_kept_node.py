"""One node of this machine that a keeper keeps: a folder, and the keeper's process in a session of its own.

The keeper holds `keeper.lock` from before it is born until it is dead, so there are never two, and one that
is missing is known to be. It ends the node as it would end a machine: its last command leaves `ended` there.
"""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bouted import codec
from bouted.errors import Retryable

from . import node_keeper
from .local_files import ReplicaFiles, read_json, write_json, write_whole
from .local_kept_record import KeptRecord
from .local_ports import keeper_port
from .local_process import ProcessId, is_locked, spawn, take_lock
from .node_token import TOKEN

AGAIN_S = 1.0
POLL_S = 0.2
FIRST_S = 10.0
"""A first lease is so much longer: a renewal that came before the keeper could hear it is told by then."""
_END = 'test -e "$0" || : > "$0"; kill "$PPID"'
"""The keeper is its parent, and outlives no node."""


@dataclass(frozen=True, slots=True)
class KeptNode:
    """The folder of one node, which need not exist."""

    path: Path

    def read(self) -> KeptRecord | None:
        """The node's record; None when there is no such node."""
        try:
            return codec.parse(KeptRecord, (self.path / "node.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def write(self, record: KeptRecord) -> None:
        """Put the record on disk."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self.path / "node.json", codec.dump(KeptRecord, record))

    def ended_at(self, record: KeptRecord) -> datetime | None:
        """When the node ended, also by itself."""
        if record.ended_at is not None:
            return record.ended_at
        try:
            return datetime.fromtimestamp(self._ended.stat().st_mtime, UTC)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def begun(self) -> bool:
        """Was a keeper ever started?"""
        return self._place.exists()

    def lives(self) -> bool:
        """Does a keeper live?"""
        return is_locked(self._files.lock)

    def port(self) -> int:
        """Where the keeper listens; Retryable when none lives."""
        port = self._port()
        if port is None or not self.lives():
            raise Retryable(f"the keeper of {self.path.name} does not run", after_s=AGAIN_S)
        return port

    def process(self) -> ProcessId | None:
        """The keeper, as far as that is known."""
        return self._files.read_process()

    def start(self, record: KeptRecord, token: str, now: datetime) -> int | None:
        """Start the keeper on its folder and return its pid; None when one runs already."""
        lock_fd = take_lock(self._files.lock)
        if lock_fd is None:
            return None
        try:
            port = keeper_port(self._port(), self._ports_of_others())
            write_json(self._place, {"port": port})
            lease_s = max((record.hold_until - now).total_seconds(), 0.0) + FIRST_S
            command = self._command(record, port, lease_s)
            pid = spawn(command, log=self._files.log, lock_fd=lock_fd, more={TOKEN: token})
            self._files.write_pid(pid)
            return pid
        finally:
            os.close(lock_fd)

    @property
    def _files(self) -> ReplicaFiles:
        return ReplicaFiles(folder=self.path, name="keeper")

    @property
    def _place(self) -> Path:
        return self.path / "keeper.port.json"

    @property
    def _ended(self) -> Path:
        return self.path / "ended"

    def _port(self) -> int | None:
        port = read_json(self._place).get("port")
        return port if isinstance(port, int) else None

    def _ports_of_others(self) -> set[object]:
        return {read_json(place).get("port") for place in self.path.parent.glob(f"*/{self._place.name}")}

    def _command(self, record: KeptRecord, port: int, lease_s: float) -> tuple[str, ...]:
        return (
            sys.executable, "-I", "-S", str(Path(node_keeper.__file__).absolute()),
            "--node", record.name,
            "--port", str(port),
            "--lease-s", f"{lease_s:g}",
            "--folder", str(self.path / "kept"),
            "--gpus", str(record.offer.gpu_count),
            "--poll-s", f"{POLL_S:g}",
            "--end", "/bin/sh", "-c", _END, str(self._ended),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Here:
    """The way to a node of this machine."""

    node: KeptNode

    def port(self, remote: int) -> int:
        """Ports here are ports there; the keeper's own is on disk."""
        return remote or self.node.port()

    def close(self) -> None:
        """Nothing to close."""

    @property
    def folder(self) -> Path:
        """The node's own."""
        return self.node.path

    def command(self, *remote: str) -> tuple[str, ...]:
        """This machine's own shell."""
        return ("/bin/sh", "-c", " ".join(remote)) if remote else ("/bin/sh",)
