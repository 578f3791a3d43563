"""The kept nodes of one deployment on this machine, as they are on disk: one change at a time."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from bouted.errors import Misconfigured, Retryable

from .local_kept_node import AGAIN_S, KeptNode
from .local_kept_record import KeptRecord
from .local_place import KEEP_ENDED, NAME, LocalPlace


@dataclass(frozen=True, slots=True)
class KeptNodes:
    """Those under `<root>/kept` that this deployment launched."""

    place: LocalPlace
    deployment: str

    def node(self, name: str) -> KeptNode:
        """The folder of a node, which need not exist."""
        return KeptNode(self.place.root / "kept" / name)

    def all(self) -> Iterator[tuple[KeptNode, KeptRecord]]:
        """Every node, by name, also those that ended of late."""
        for path in sorted((self.place.root / "kept").glob("*")):
            record = self.read(path.name)
            if record is not None:
                yield KeptNode(path), record

    def read(self, name: str) -> KeptRecord | None:
        """The record of a node; None when there is none of ours."""
        record = self.node(name).read() if NAME.fullmatch(name) else None
        if record is None or record.name != name:
            return None
        return record if record.deployment == self.deployment else None

    def ended_at(self, record: KeptRecord) -> datetime | None:
        """When the node ended, also by itself."""
        return self.node(record.name).ended_at(record)

    def change(self, name: str, change: Callable[[KeptRecord], KeptRecord]) -> KeptRecord | None:
        """The record as it is after this change; None when there is no such node of ours."""
        with self.place.alone():
            before = self.read(name)
            if before is None:
                return None
            after = change(before)
            if after != before:
                self.node(name).write(after)
            return after

    def is_taken(self, name: str) -> bool:
        """Does the name stand for a node? What is left of one that ended is removed. The caller is alone."""
        node = self.node(name)
        record = node.read()
        if record is None:
            return False
        if record.deployment != self.deployment:
            raise Misconfigured("deployment", f"node {name} belongs to {record.deployment!r}")
        if node.ended_at(record) is None:
            return True
        if node.lives():
            raise Retryable(f"the last keeper of {name} is just ending", after_s=AGAIN_S)
        shutil.rmtree(node.path)
        return False

    def prune(self, now: datetime) -> None:
        """Remove the folders of nodes that ended long ago."""
        for node, record in self.all():
            ended_at = node.ended_at(record)
            if ended_at is not None and ended_at < now - KEEP_ENDED and not node.lives():
                shutil.rmtree(node.path, ignore_errors=True)
