"""What is written down of each node that SkyPilot was asked for, before anything is asked."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from bouted import codec
from bouted.market.offers import Offer
from bouted.reconcile.launcher import Refused

from .file_lock import alone, holder
from .local_files import write_whole
from .sky_wire import SshAddress


class Phase(StrEnum):
    """How far a node is."""

    INTENT = "intent"  # written down; SkyPilot may or may not have been asked
    LAUNCHING = "launching"  # SkyPilot works on it under the record's request
    REACHING = "reaching"  # it is there by SkyPilot's word; its keeper has not answered yet
    UP = "up"  # its keeper answered
    CHECKING = "checking"  # its keeper is silent, and the cloud is asked under the record's request
    ENDING = "ending"  # it is to go; once it has a request, SkyPilot works on that
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One node. `name` is its cluster's name too; `offer` is None for one found running without a record.

    `since` is when it came into its phase. `request` is the one that it waits for, "" for none. `refused`
    says why it never came up, also while what is left of it is being ended. `tries` counts launches that
    were asked for and lost. `hold_until` is how far its lease was moved last, whether its keeper was reached
    or not; `autodown_at` is when the backstop behind that takes it down at the earliest, None for never, and
    the request `moving` moves that to `moving_to`. `start_told` and `end_told`: the cloud itself gave these
    times, and what it calls the instance.
    """

    name: str
    offer: Offer | None
    asked_at: datetime
    since: datetime
    phase: Phase = Phase.INTENT
    request: str = ""
    address: SshAddress | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    refused: Refused | None = None
    tries: int = 0
    autodown_at: datetime | None = None
    moving: str = ""
    moving_to: datetime | None = None
    hold_until: datetime | None = None
    instance_id: str = ""
    start_told: bool = False
    end_told: bool = False
    said: str = ""

    def to(self, phase: Phase, now: datetime, request: str = "") -> "NodeRecord":
        """The same in another phase."""
        return replace(self, phase=phase, since=now, request=request)


_HELD = ("hold_until", "autodown_at", "moving", "moving_to")


def _with_held(record: NodeRecord, known: NodeRecord, unless: NodeRecord | None = None) -> NodeRecord:
    """The record with the lease and the clock as they are `known`, but for what it changed itself."""
    own = (name for name in _HELD if unless is not None and getattr(record, name) != getattr(unless, name))
    kept = {name: getattr(known, name) for name in _HELD}
    return replace(record, **(kept | {name: getattr(record, name) for name in own}))


@dataclass(frozen=True, slots=True)
class NodeRecords:
    """The records of one deployment: a file each, written whole or not at all."""

    folder: Path

    def read(self, name: str) -> NodeRecord | None:
        """The record of a node; None when there is none. Whatever cannot be read is left for a person."""
        try:
            return codec.parse(NodeRecord, self._path(name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def write(self, record: NodeRecord) -> None:
        """Put it on disk."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._path(record.name), codec.dump(NodeRecord, record))

    def replace(self, before: NodeRecord, after: NodeRecord) -> bool:
        """Write `after` unless somebody changed the record since it was read as `before`. Leases and clocks
        are moved at any time: that alone does not count."""
        with self.alone():
            known = self.read(before.name)
            if known is None or _with_held(before, known) != known:
                return False
            self.write(_with_held(after, known, unless=before))
            return True

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One change at a time, in any number of processes; Retryable while one that does not go on holds
        it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(self.folder / "lock"):
            yield

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether nobody else, in any process, is asking SkyPilot for these nodes meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "turn").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def whose_turn(self) -> str:
        """Who is asking SkyPilot for these nodes, in words for a person."""
        pid = holder(self.folder / "turn")
        return f"process {pid}" if pid else "another process"

    def forget(self, name: str) -> None:
        """Remove it."""
        self._path(name).unlink(missing_ok=True)

    def all(self) -> Iterator[NodeRecord]:
        """Every record, by name."""
        for path in sorted(self.folder.glob("*.json")):
            record = self.read(path.stem)
            if record is not None:
                yield record

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"
