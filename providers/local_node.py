"""One node of the local launcher: a folder with a record, a lease and the files of its replicas."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from bouted import codec
from bouted.errors import NotYet
from bouted.market.offers import Offer
from bouted.reconcile.launcher import SeenNode, SeenReplica

from . import local_replica
from .local_files import ReplicaFiles, read_lease, write_lease, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """What is known of a node. It is up from `boot_until` until `stopping_at`."""

    name: str
    deployment: str
    offer: Offer
    launched_at: datetime
    boot_until: datetime
    stopping_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """The folder of one node, which need not exist."""

    path: Path

    def read(self) -> NodeRecord | None:
        """The node's record; None when there is no such node."""
        try:
            return codec.parse(NodeRecord, (self.path / "node.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def create(self, record: NodeRecord, lease_until: datetime) -> None:
        """Write the node into being. The record comes last: a node that is on record has a lease."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_lease(self.path, lease_until)
        self.write(record)

    def write(self, record: NodeRecord) -> None:
        """Replace the record."""
        write_whole(self.path / "node.json", codec.dump(NodeRecord, record))

    def ended_at(self, record: NodeRecord, now: datetime) -> datetime | None:
        """When the node ended: it was stopped, or its lease ran out."""
        if record.ended_at is not None:
            return record.ended_at
        lease = read_lease(self.path) or record.launched_at
        return lease if lease < now else None

    def look(self, record: NodeRecord, now: datetime) -> SeenNode:
        """The node as it is now."""
        ended_at = self.ended_at(record, now)
        up = ended_at is None and record.stopping_at is None and record.boot_until <= now
        return SeenNode(
            name=record.name,
            up=up,
            started_at=record.launched_at,
            ended_at=ended_at,
            offer_id=record.offer.id,
        )

    def replicas(self) -> tuple[ReplicaFiles, ...]:
        """The files of every replica that was started and not yet ended, in name order."""
        names = sorted(path.name.removesuffix(".lock") for path in self.path.glob("*.lock"))
        return tuple(ReplicaFiles(folder=self.path, name=name) for name in names)

    def look_at_replicas(self, node: str) -> tuple[SeenReplica, ...]:
        """The engines that live on this node."""
        looks = (local_replica.look(files, node) for files in self.replicas())
        return tuple(seen for seen in looks if seen is not None)

    def end(self, record: NodeRecord, now: datetime) -> None:
        """Stop every replica, then put the end on record. NotYet while a replica lives."""
        if record.stopping_at is None:
            record = replace(record, stopping_at=now)
            self.write(record)
        ending = [files.name for files in self.replicas() if not _stopped(files, now)]
        if ending:
            raise NotYet(f"node {record.name} waits for {', '.join(ending)} to end")
        self.write(replace(record, ended_at=self.ended_at(record, now) or now))


def _stopped(files: ReplicaFiles, now: datetime) -> bool:
    try:
        local_replica.stop(files, now)
    except NotYet:
        return False
    return True
