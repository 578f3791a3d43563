"""Runs a fleet on this machine: a node is a folder, a replica is a real process that speaks vLLM's API.

No cloud, GPU or money is involved: the engines are paced by the same step costs that plans are made of.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bouted.clock import Clock, SystemClock
from bouted.errors import Gone, Misconfigured, NotYet
from bouted.reconcile.launcher import (
    KnownNode,
    Launcher,
    NodeOrder,
    ReplicaOrder,
    Seen,
    SeenNode,
    SeenReplica,
    ToLoad,
)

from . import local_replica
from .local_files import EngineSpec, ReplicaFiles, write_lease
from .local_kept import KeptLauncher
from .local_node import NodeFolder, NodeRecord
from .local_options import LocalOptions
from .local_place import KEEP_ENDED, NAME, LocalPlace, lease_end, require_name, require_one
from .local_process import is_locked, reap


class LocalLauncher:
    """Nodes and replicas of one deployment under `<state_dir>/local`, on disk before they exist.

    A node is up `boot_s` after its launch and ends itself `deadman_s` after the last renewal (inf: never).
    `time_scale` 2 makes engines twice as fast as their step costs say. `<state_dir>/local/stockout` may
    list globs of offer ids, one a line, that cannot be had. Any number of launcher objects, in any number
    of processes, may share a state folder.
    """

    name = "local"

    def __init__(
        self,
        state_dir: Path,
        deployment: str,
        boot_s: float = 1.0,
        deadman_s: float = 43_200.0,
        time_scale: float = 1.0,
        clock: Clock | None = None,
        folder: Path | None = None,
    ) -> None:
        self._place = LocalPlace(folder or state_dir.absolute() / "local")
        self._deployment = deployment
        self._boot_s = boot_s
        self._deadman_s = deadman_s
        self._time_scale = time_scale
        self._clock = clock or SystemClock()
        self._children: set[int] = set()

    @classmethod
    def from_config(
        cls, options: Mapping[str, object], *, state_dir: Path, deployment: str, deadman_s: float
    ) -> Launcher:
        """A launcher with these options (see `local_options`), one with keepers where they name engines;
        ConfigErrors with every problem found."""
        asked = LocalOptions.from_config(options)
        folder = asked.folder or state_dir.absolute() / "local"
        if asked.engines is not None:
            return KeptLauncher(folder, deployment, asked.engines, boot_s=asked.boot_s, deadman_s=deadman_s)
        return cls(
            state_dir,
            deployment,
            boot_s=asked.boot_s,
            deadman_s=deadman_s,
            time_scale=asked.time_scale,
            folder=folder,
        )

    @classmethod
    def check_config(cls, options: Mapping[str, object], wanted: Sequence[ToLoad]) -> None:
        """ConfigErrors with every problem of the options, or of weights that engines could not load; paced
        ones load none."""
        engines = LocalOptions.from_config(options).engines
        if engines is not None:
            engines.require_loadable(wanted)

    def launch(self, order: NodeOrder) -> None:
        """Create the node. NoCapacity while its offer is on the stock-out list; Misconfigured for a group."""
        require_one(order)
        with self._place.alone():
            now = self._clock.now()
            folder = self._folder(require_name(order.name))
            if self._exists(folder, now):
                return
            self._place.require_there(order.offer.id)
            self._prune(now)
            record = NodeRecord(
                name=order.name,
                deployment=self._deployment,
                offer=order.offer,
                launched_at=now,
                boot_until=now + timedelta(seconds=self._boot_s),
            )
            folder.create(record, lease_end(now, self._deadman_s))

    def start_replica(self, order: ReplicaOrder) -> None:
        """Start the engine's process. NotYet while the node boots, Gone when there is no such node."""
        require_name(order.name)
        with self._place.alone():
            now = self._clock.now()
            folder = self._folder(order.node)
            record = self._ours(folder)
            if record is None or record.stopping_at or folder.ended_at(record, now):
                raise Gone(f"node {order.node} is not there", hint=f"replica {order.name} needs another node")
            if now < record.boot_until:
                raise NotYet(f"node {order.node} is booting")
            spec = EngineSpec(
                replica=order.name,
                node=order.node,
                shape=order.shape.id,
                served_model=order.served_model,
                costs=order.costs,
                time_scale=self._time_scale,
                shutdown_timeout_s=local_replica.STOP_GRACE_S,
            )
            pid = local_replica.start(ReplicaFiles(folder=folder.path, name=order.name), spec)
            if pid is not None:
                self._children.add(pid)

    def stop_replica(self, name: str, node: str) -> None:
        """End the engine: SIGTERM to its process group, SIGKILL when that was not enough."""
        with self._place.alone():
            reap(self._children)
            folder = self._folder(node)
            if self._ours(folder) and NAME.fullmatch(name):
                local_replica.stop(ReplicaFiles(folder=folder.path, name=name), self._clock.now())

    def stop_node(self, name: str) -> None:
        """End the node's engines and the node."""
        with self._place.alone():
            reap(self._children)
            folder = self._folder(name)
            record = self._ours(folder)
            if record is not None and record.ended_at is None:
                folder.end(record, self._clock.now())

    def seen(self) -> Seen:
        """The nodes on disk (those that ended in the last day too) and the engines alive, by name."""
        reap(self._children)
        now = self._clock.now()
        nodes = []
        replicas: list[SeenReplica] = []
        for folder, record in self._all():
            nodes.append(folder.look(record, now))
            replicas.extend(folder.look_at_replicas(record.name))
        replicas.sort(key=lambda replica: replica.name)
        return Seen(nodes=tuple(nodes), replicas=tuple(replicas))

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        """The nodes on disk: this machine has one list."""
        return tuple(folder.look(record, self._clock.now()) for folder, record in self._all())

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Move the leases of these nodes; a node that ended stays ended."""
        with self._place.alone():
            now = self._clock.now()
            until = lease_end(now, for_s)
            for name in nodes:
                folder = self._folder(name)
                record = self._ours(folder)
                if record is not None and folder.ended_at(record, now) is None:
                    write_lease(folder.path, until)

    def log(self, name: str, node: str, start: int) -> tuple[str, int]:
        """What an engine wrote, also one that ended, for as long as its node's folder is there."""
        return local_replica.log(self._files(name, node), start)

    def lives(self, name: str, node: str) -> bool:
        """Whether the engine's process lives."""
        return is_locked(self._files(name, node).lock)

    def _files(self, name: str, node: str) -> ReplicaFiles:
        folder = self._folder(node)
        if self._ours(folder) is None or not NAME.fullmatch(name):
            raise Gone(f"node {node} is not there, and no replica {name} on it")
        return ReplicaFiles(folder=folder.path, name=name)

    def _folder(self, node: str) -> NodeFolder:
        return NodeFolder(self._place.root / "nodes" / node)

    def _ours(self, folder: NodeFolder) -> NodeRecord | None:
        """The record of a node that this deployment launched."""
        record = folder.read()
        if record is None or record.name != folder.path.name:
            return None
        return record if record.deployment == self._deployment else None

    def _exists(self, folder: NodeFolder, now: datetime) -> bool:
        """Does the name stand for a node? One whose lease ran out is put to rest first."""
        record = folder.read()
        if record is None or record.ended_at is not None:
            return False
        if record.deployment != self._deployment:
            raise Misconfigured("deployment", f"node {record.name} belongs to {record.deployment!r}")
        if folder.ended_at(record, now) is None:
            return True
        folder.end(record, now)
        return False

    def _all(self) -> Iterator[tuple[NodeFolder, NodeRecord]]:
        for path in sorted((self._place.root / "nodes").glob("*")):
            folder = NodeFolder(path)
            record = self._ours(folder)
            if record is not None:
                yield folder, record

    def _prune(self, now: datetime) -> None:
        """Remove the folders of nodes that ended long ago."""
        for folder, record in self._all():
            ended_at = folder.ended_at(record, now)
            old = ended_at is not None and ended_at < now - KEEP_ENDED
            if old and not folder.look_at_replicas(record.name):
                shutil.rmtree(folder.path, ignore_errors=True)
