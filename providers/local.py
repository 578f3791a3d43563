"""Runs a fleet on this machine: a node is a folder, a replica is a real process that speaks vLLM's API.

No cloud, GPU or money is involved: the engines are paced by the same step costs that plans are made of.
"""

import fcntl
import math
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from bouted.clock import Clock, SystemClock
from bouted.errors import Gone, Misconfigured, NoCapacity, NotYet
from bouted.reconcile.launcher import NodeOrder, ReplicaOrder, Seen, SeenNode, SeenReplica

from . import local_replica
from .local_files import FOREVER, EngineSpec, ReplicaFiles, write_lease
from .local_node import NodeFolder, NodeRecord
from .local_process import is_locked, reap

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_KEEP_ENDED = timedelta(days=1)


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
        self._root = folder or state_dir.absolute() / "local"
        self._deployment = deployment
        self._boot_s = boot_s
        self._deadman_s = deadman_s
        self._time_scale = time_scale
        self._clock = clock or SystemClock()
        self._children: set[int] = set()

    @classmethod
    def from_config(
        cls, options: Mapping[str, object], *, state_dir: Path, deployment: str, deadman_s: float
    ) -> "LocalLauncher":
        """A launcher with these options: `boot_s` (1.0), `time_scale` (1.0), and `folder`, where nodes are
        (`<state_dir>/local`; daemons that share a store share it). Misconfigured on others."""
        for key in sorted(options.keys() - {"boot_s", "time_scale", "folder"}):
            hint = "options: boot_s, time_scale, folder"
            raise Misconfigured(f"launchers.local.{key}", "no such option", hint=hint)
        boot_s = _number(options, "boot_s", 1.0)
        time_scale = _number(options, "time_scale", 1.0)
        if time_scale == 0:
            raise Misconfigured("launchers.local.time_scale", "must be more than 0", hint="1 is real time")
        folder = _absolute(options["folder"]) if "folder" in options else None
        return cls(
            state_dir, deployment, boot_s=boot_s, deadman_s=deadman_s, time_scale=time_scale, folder=folder
        )

    def launch(self, order: NodeOrder) -> None:
        """Create the node. NoCapacity while its offer is on the stock-out list; Misconfigured for a group."""
        if order.instances > 1:
            hint = "set planner.groups to 1"
            raise Misconfigured("launchers.local", "cannot start groups of instances", hint=hint)
        with self._alone():
            now = self._clock.now()
            folder = self._folder(_require_name(order.name))
            if self._exists(folder, now):
                return
            if self._stocked_out(order.offer.id):
                raise NoCapacity(order.offer.id, hint=f"{self._root / 'stockout'} lists it")
            self._prune(now)
            record = NodeRecord(
                name=order.name,
                deployment=self._deployment,
                offer=order.offer,
                launched_at=now,
                boot_until=now + timedelta(seconds=self._boot_s),
            )
            folder.create(record, _lease_end(now, self._deadman_s))

    def start_replica(self, order: ReplicaOrder) -> None:
        """Start the engine's process. NotYet while the node boots, Gone when there is no such node."""
        _require_name(order.name)
        with self._alone():
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
        with self._alone():
            reap(self._children)
            folder = self._folder(node)
            if self._ours(folder) and _NAME.fullmatch(name):
                local_replica.stop(ReplicaFiles(folder=folder.path, name=name), self._clock.now())

    def stop_node(self, name: str) -> None:
        """End the node's engines and the node."""
        with self._alone():
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

    def sweep(self) -> tuple[SeenNode, ...]:
        """The nodes on disk: this machine has one list."""
        return tuple(folder.look(record, self._clock.now()) for folder, record in self._all())

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Move the leases of these nodes; a node that ended stays ended."""
        with self._alone():
            now = self._clock.now()
            until = _lease_end(now, for_s)
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
        if self._ours(folder) is None or not _NAME.fullmatch(name):
            raise Gone(f"node {node} is not there, and no replica {name} on it")
        return ReplicaFiles(folder=folder.path, name=name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time on this state folder; a launcher that is killed lets go by itself."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _folder(self, node: str) -> NodeFolder:
        return NodeFolder(self._root / "nodes" / node)

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
        for path in sorted((self._root / "nodes").glob("*")):
            folder = NodeFolder(path)
            record = self._ours(folder)
            if record is not None:
                yield folder, record

    def _prune(self, now: datetime) -> None:
        """Remove the folders of nodes that ended long ago."""
        for folder, record in self._all():
            ended_at = folder.ended_at(record, now)
            old = ended_at is not None and ended_at < now - _KEEP_ENDED
            if old and not folder.look_at_replicas(record.name):
                shutil.rmtree(folder.path, ignore_errors=True)

    def _stocked_out(self, offer_id: str) -> bool:
        try:
            globs = (self._root / "stockout").read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return False
        return any(fnmatchcase(offer_id, glob) for glob in globs)


def _require_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        hint = "use letters, digits, '.', '_' and '-'"
        raise Misconfigured("", f"{name!r} cannot name a folder", hint=hint)
    return name


def _absolute(folder: object) -> Path:
    if not isinstance(folder, str) or not Path(folder).is_absolute():
        raise Misconfigured("launchers.local.folder", f"must be an absolute path, got {folder!r}")
    return Path(folder)


def _lease_end(now: datetime, for_s: float) -> datetime:
    return FOREVER if math.isinf(for_s) else now + timedelta(seconds=for_s)


def _number(options: Mapping[str, object], key: str, default: float) -> float:
    value = options.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise Misconfigured(f"launchers.local.{key}", f"must be a number of at least 0, got {value!r}")
    return float(value)
