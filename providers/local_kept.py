"""Runs a fleet on this machine as it runs at a cloud: a keeper for each node, and engines by their adapters.

Nothing is rented, and nothing else differs: real vLLM or SGLang where they are installed, or a paced engine
that takes their command lines.
"""

import logging
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from bouted.clock import Clock, SystemClock
from bouted.errors import Gone, Misconfigured, NotYet, Retryable
from bouted.reconcile.launcher import NodeOrder, ReplicaOrder, Seen, SeenNode, SeenReplica, Shell

from .engine_choice import Engines
from .keepers import OWN_PORT, Keepers
from .kept_seen import runs, seen_replicas
from .local_kept_node import AGAIN_S, Here, KeptNode, KeptRecord
from .local_place import KEEP_ENDED, NAME, LocalPlace, lease_end, require_name, require_one
from .local_process import reap, signal_group
from .node_client import NodeClient
from .node_token import node_token

log = logging.getLogger(__name__)

HUNG_S = 30.0  # a keeper that lives and is silent for so long is killed, and started again
AT_ONCE_S = 0.001


class KeptLauncher:
    """Nodes and replicas of one deployment under `<folder>/kept`, on disk before they exist.

    A keeper that is missing is started again on its folder, and finds its engines running. Any number of
    such objects, in any number of processes, may share a folder.
    """

    name = "local"

    def __init__(
        self,
        folder: Path,
        deployment: str,
        engines: Engines,
        *,
        boot_s: float = 1.0,
        deadman_s: float = 43_200.0,
        clock: Clock | None = None,
    ) -> None:
        self._place = LocalPlace(folder)
        self._deployment, self._engines = deployment, engines
        self._boot_s, self._deadman_s = boot_s, deadman_s
        self._clock = clock or SystemClock()
        self._keepers: Keepers[KeptRecord] = Keepers(
            clock=self._clock,
            way=lambda record: Here(self._node(record.name)),
            token=self._token,
            keeper_port=OWN_PORT,
        )
        self._children: set[int] = set()

    def close(self) -> None:
        """Let go of the keepers' connections; nodes and engines go on."""
        self._keepers.close()

    let_go = close

    def launch(self, order: NodeOrder) -> None:
        """Create the node and start its keeper. NoCapacity while its offer is on the stock-out list;
        Misconfigured for a group."""
        require_one(order)
        node = self._node(require_name(order.name))
        with self._place.alone():
            if self._exists(node):
                return
            self._place.require_there(order.offer.id)
            now = self._clock.now()
            self._prune(now)
            record = KeptRecord(
                name=order.name,
                deployment=self._deployment,
                offer=order.offer,
                launched_at=now,
                boot_until=now + timedelta(seconds=self._boot_s),
                hold_until=lease_end(now, self._deadman_s),
            )
            node.write(record)
            self._start_keeper(node, record)

    def start_replica(self, order: ReplicaOrder) -> None:
        """Have the node's keeper start the engine. NotYet while the node boots, Gone when there is none."""
        require_name(order.name)
        record = self._there(order.node, hint=f"replica {order.name} needs another node")
        start = self._engines.start_of(order)
        self._keepers.ask(record, lambda keeper: keeper.start(start))

    def stop_replica(self, name: str, node: str) -> None:
        """Have the keeper end the engine; NotYet until it is gone."""
        record = self._ours(self._node(node))
        if record is None or record.up_at is None or self._ended_at(record) is not None:
            return
        require_name(name)
        self._require_keeper(record)
        with suppress(Gone):  # the node is ending, and its engines with it
            self._keepers.ask(record, lambda keeper: keeper.stop(name))

    def stop_node(self, name: str) -> None:
        """Let the node's lease run out: its keeper ends the engines, then itself. NotYet until it is gone."""
        reap(self._children)
        node = self._node(name)
        record = self._stopping(node)
        if record is None or record.ended_at is not None:
            return
        ended_at = node.ended_at(record)
        if ended_at is None and node.begun():
            self._require_keeper(record)
            with suppress(Gone, Retryable):  # it is ending already; or it is asked again
                self._keepers.ask(record, lambda keeper: keeper.renew(AT_ONCE_S))
            raise NotYet(f"node {name} is ending")
        if node.lives():
            raise NotYet(f"the keeper of {name} is ending")
        self._change(node, lambda known: replace(known, ended_at=ended_at or self._clock.now()))
        self._keepers.forget(name)

    def seen(self) -> Seen:
        """The nodes on disk, also those that ended in the last day, and the engines that keepers told of; a
        node that does not answer for now is told as it was last heard of."""
        reap(self._children)
        there = [record for _, record in self._all() if self._ended_at(record) is None]
        for record in there:
            if record.stopping_at is None:
                self._require_keeper(record)
        self._keepers.look(there)
        for record in there:
            self._keepers.hold(record, record.hold_until)
            self._note_up(record)
        replicas = [one for record in there for one in self._replicas(record)]
        return Seen(nodes=self.sweep(), replicas=tuple(sorted(replicas, key=lambda replica: replica.name)))

    def sweep(self) -> tuple[SeenNode, ...]:
        """The nodes on disk: this machine has one list."""
        return tuple(record.seen(node.ended_at(record)) for node, record in self._all())

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Move the leases that keepers hold; Retryable where that failed. A keeper that was not up yet is
        told later."""
        until = lease_end(self._clock.now(), for_s)
        held = [record for name in nodes if (record := self._hold(name, until)) is not None]
        self._keepers.renew((one for one in held if one.up_at and self._ended_at(one) is None), for_s)

    def log(self, name: str, node: str, start: int) -> tuple[str, int]:
        """What an engine wrote, by its node's keeper: until it is stopped, also if it failed."""
        return self._keepers.ask(self._there(node), lambda keeper: keeper.log(name, start))

    def lives(self, name: str, node: str) -> bool:
        """Whether the keeper has the engine, and it did not fail."""
        return runs(self._keepers.ask(self._there(node), NodeClient.look), name)

    def shell(self, node: str, command: tuple[str, ...]) -> Shell:
        """A shell of this machine, in the node's folder."""
        way = Here(self._node(self._there(node).name))
        return Shell(argv=way.command(*command), folder=way.folder)

    def _token(self, name: str) -> str:
        return node_token(self._place.root / "node.key", name)

    def _node(self, name: str) -> KeptNode:
        return KeptNode(self._place.root / "kept" / name)

    def _all(self) -> Iterator[tuple[KeptNode, KeptRecord]]:
        for path in sorted((self._place.root / "kept").glob("*")):
            node = KeptNode(path)
            record = self._ours(node)
            if record is not None:
                yield node, record

    def _ours(self, node: KeptNode) -> KeptRecord | None:
        """The record of a node that this deployment launched."""
        record = node.read() if NAME.fullmatch(node.path.name) else None
        if record is None or record.name != node.path.name:
            return None
        return record if record.deployment == self._deployment else None

    def _ended_at(self, record: KeptRecord) -> datetime | None:
        return self._node(record.name).ended_at(record)

    def _there(self, name: str, hint: str = "") -> KeptRecord:
        """The record of a node that is up; NotYet while it is not, Gone when there is none."""
        record = self._ours(self._node(name))
        if record is None or record.stopping_at is not None or self._ended_at(record) is not None:
            raise Gone(f"node {name} is not there", hint=hint)
        if record.up_at is None:
            raise NotYet(f"node {name} is booting")
        return record

    def _change(self, node: KeptNode, change: Callable[[KeptRecord], KeptRecord]) -> KeptRecord | None:
        """The record as it is after this change; None when there is no such node of ours."""
        with self._place.alone():
            before = self._ours(node)
            if before is None:
                return None
            after = change(before)
            if after != before:
                node.write(after)
            return after

    def _exists(self, node: KeptNode) -> bool:
        """Does the name stand for a node? What is left of one that ended is removed."""
        record = node.read()
        if record is None:
            return False
        if record.deployment != self._deployment:
            raise Misconfigured("deployment", f"node {record.name} belongs to {record.deployment!r}")
        if node.ended_at(record) is None:
            return True
        if node.lives():
            raise Retryable(f"the last keeper of {record.name} is just ending", after_s=AGAIN_S)
        shutil.rmtree(node.path)
        return False

    def _require_keeper(self, record: KeptRecord) -> None:
        """Start the keeper of a node that lacks it. One that hangs is killed, and is missing then."""
        node = self._node(record.name)
        if node.lives():
            if self._keepers.word(record.name).silent_s(self._clock.now()) > HUNG_S:
                self._kill_keeper(node)
            return
        with self._place.alone():
            known = self._ours(node)
            if known is None or node.ended_at(known) is not None:
                return
            try:
                self._start_keeper(node, known)
            except Retryable as error:
                log.warning("%s: %s", record.name, error)

    def _start_keeper(self, node: KeptNode, record: KeptRecord) -> None:
        pid = node.start(record, self._token(record.name), self._clock.now())
        if pid is not None:
            self._children.add(pid)

    def _kill_keeper(self, node: KeptNode) -> None:
        log.warning("the keeper of %s has been silent for %.0f s and is killed", node.path.name, HUNG_S)
        process = node.process()
        if process is not None:
            signal_group(process, signal.SIGKILL)
        self._keepers.words.pop(node.path.name, None)  # the next one has its time

    def _note_up(self, record: KeptRecord) -> None:
        now = self._clock.now()
        if record.up_at is None and now >= record.boot_until and self._keepers.word(record.name).answers:
            self._change(self._node(record.name), lambda known: replace(known, up_at=known.up_at or now))

    def _hold(self, name: str, until: datetime) -> KeptRecord | None:
        return self._change(self._node(name), lambda known: replace(known, hold_until=until))

    def _stopping(self, node: KeptNode) -> KeptRecord | None:
        now = self._clock.now()
        return self._change(node, lambda known: replace(known, stopping_at=known.stopping_at or now))

    def _replicas(self, record: KeptRecord) -> tuple[SeenReplica, ...]:
        look = self._keepers.heard.get(record.name)
        if look is None:
            return ()
        return seen_replicas(look, lambda port: self._keepers.endpoint(record.name, port))

    def _prune(self, now: datetime) -> None:
        """Remove the folders of nodes that ended long ago."""
        for node, record in self._all():
            ended_at = node.ended_at(record)
            if ended_at is not None and ended_at < now - KEEP_ENDED and not node.lives():
                shutil.rmtree(node.path, ignore_errors=True)
