"""Runs a fleet on this machine as it runs at a cloud: a keeper for each node, and engines by their adapters.

Nothing is rented, and nothing else differs: real vLLM or SGLang where they are installed, or a paced engine
that takes their command lines.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bouted.clock import Clock, SystemClock
from bouted.errors import Gone, NotYet, Retryable
from bouted.perf.shapes import Engine
from bouted.reconcile.launcher import KnownNode, NodeOrder, ReplicaOrder, Seen, SeenNode, SeenReplica, Shell

from .engine_choice import Engines
from .keepers import OWN_PORT, Keepers
from .kept_seen import runs, seen_replicas
from .local_kept_node import Here
from .local_kept_nodes import KeptNodes
from .local_kept_record import KeptRecord
from .local_kept_tending import Tending
from .local_place import LocalPlace, lease_end, require_name, require_one
from .node_client import NodeClient
from .node_token import node_token

AT_ONCE_S = 0.001


class KeptLauncher:
    """Nodes and replicas of one deployment under `<folder>/kept`, on disk before they exist.

    Keepers and engines outlive the daemon; a keeper that is missing is started again and finds its engines
    running. Any number of such objects, in any number of processes, may share a folder.
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
        self._engines, self._boot_s, self._deadman_s = engines, boot_s, deadman_s
        self._clock = clock or SystemClock()
        self._nodes = KeptNodes(LocalPlace(folder), deployment)
        self._keepers: Keepers[KeptRecord] = Keepers(
            clock=self._clock,
            way=lambda record: Here(self._nodes.node(record.name)),
            token=lambda name: node_token(folder / "node.key", name),
            keeper_port=OWN_PORT,
        )
        self._tending = Tending(nodes=self._nodes, keepers=self._keepers, clock=self._clock)

    def close(self) -> None:
        """Let go of the keepers' connections; nodes and engines go on."""
        self._keepers.close()

    let_go = close

    def launch(self, order: NodeOrder) -> None:
        """Create the node and start its keeper. NoCapacity while its offer is on the stock-out list;
        Misconfigured for a group."""
        require_one(order)
        require_name(order.name)
        with self._nodes.place.alone():
            if self._nodes.is_taken(order.name):
                return
            self._nodes.place.require_there(order.offer.id)
            now = self._clock.now()
            self._nodes.prune(now)
            record = KeptRecord(
                name=order.name,
                deployment=self._nodes.deployment,
                offer=order.offer,
                launched_at=now,
                boot_until=now + timedelta(seconds=self._boot_s),
                hold_until=lease_end(now, self._deadman_s),
            )
            self._nodes.node(order.name).write(record)
            self._tending.start(record)

    def start_replica(self, order: ReplicaOrder) -> None:
        """Have the node's keeper start the engine. NotYet while the node boots, Gone when there is none."""
        require_name(order.name)
        record = self._there(order.node, hint=f"replica {order.name} needs another node")
        start = self._engines.start_of(order)
        self._keepers.ask(record, lambda keeper: keeper.start(start))

    def versions(self) -> dict[Engine, str]:
        """What a start would bring now, of the engines whose version the config chooses."""
        return self._engines.versions()

    def stop_replica(self, name: str, node: str) -> None:
        """Have the keeper end the engine; NotYet until it is gone."""
        record = self._nodes.read(node)
        if record is None or record.up_at is None or self._nodes.ended_at(record) is not None:
            return
        self._tending.require(record)
        with suppress(Gone):  # the node is ending, and its engines with it
            self._keepers.ask(record, lambda keeper: keeper.stop(name))

    def stop_node(self, name: str) -> None:
        """Let the node's lease run out: its keeper ends the engines, then itself. NotYet until it is gone."""
        self._tending.reap()
        now, node = self._clock.now(), self._nodes.node(name)
        record = self._nodes.change(name, lambda known: replace(known, stopping_at=known.stopping_at or now))
        if record is None or record.ended_at is not None:
            return
        ended_at = node.ended_at(record)
        if ended_at is None and node.begun():
            self._end(record)
        if node.lives():
            raise NotYet(f"the keeper of {name} is ending")
        self._nodes.change(name, lambda known: replace(known, ended_at=ended_at or now))
        self._keepers.forget(name)

    def seen(self) -> Seen:
        """The nodes on disk, also those that ended in the last day, and the engines that keepers told of; a
        node that does not answer for now is told as it was last heard of."""
        self._tending.reap()
        there = [record for node, record in self._nodes.all() if node.ended_at(record) is None]
        wanted = [record for record in there if record.stopping_at is None]
        for record in wanted:
            self._tending.require(record)
        self._keepers.look(there)
        for record in wanted:
            self._keepers.hold(record, record.hold_until)
            self._note_up(record)
        replicas = [one for record in there for one in self._replicas(record)]
        return Seen(nodes=self.sweep(), replicas=tuple(sorted(replicas, key=lambda replica: replica.name)))

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        """The nodes on disk: this machine has one list."""
        return tuple(record.seen(node.ended_at(record)) for node, record in self._nodes.all())

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        """Move the leases that keepers hold; Retryable where that failed. A keeper that was not up yet is
        told later."""
        until = lease_end(self._clock.now(), for_s)
        changed = (self._nodes.change(name, lambda known: replace(known, hold_until=until)) for name in nodes)
        up = (record for record in changed if record is not None and self._is_up(record))
        self._keepers.renew(up, for_s)

    def log(self, name: str, node: str, start: int) -> tuple[str, int]:
        """What an engine wrote, by its node's keeper: until it is stopped, also if it failed."""
        return self._keepers.ask(self._there(node), lambda keeper: keeper.log(name, start))

    def lives(self, name: str, node: str) -> bool:
        """Whether the keeper has the engine, and it did not fail."""
        return runs(self._keepers.ask(self._there(node), NodeClient.look), name)

    def shell(self, node: str, command: tuple[str, ...]) -> Shell:
        """A shell of this machine, in the node's folder."""
        way = self._keepers.way(self._there(node))
        return Shell(argv=way.command(*command), folder=way.folder)

    def _there(self, name: str, hint: str = "") -> KeptRecord:
        """The record of a node that is up; NotYet while it is not, Gone when there is none."""
        record = self._nodes.read(name)
        if record is None or record.stopping_at is not None or self._nodes.ended_at(record) is not None:
            raise Gone(f"node {name} is not there", hint=hint)
        if record.up_at is None:
            raise NotYet(f"node {name} is booting")
        return record

    def _is_up(self, record: KeptRecord) -> bool:
        return record.seen(self._nodes.ended_at(record)).up

    def _end(self, record: KeptRecord) -> None:
        """Always NotYet: the keeper ends what it keeps, then itself."""
        self._tending.require(record)
        with suppress(Gone, Retryable):  # it is ending already; or it is asked again
            self._keepers.ask(record, lambda keeper: keeper.renew(AT_ONCE_S))
        raise NotYet(f"node {record.name} is ending")

    def _note_up(self, record: KeptRecord) -> None:
        now = self._clock.now()
        if record.up_at is None and now >= record.boot_until and self._keepers.word(record.name).answers:
            self._nodes.change(record.name, lambda known: replace(known, up_at=known.up_at or now))

    def _replicas(self, record: KeptRecord) -> tuple[SeenReplica, ...]:
        look = self._keepers.heard.get(record.name)
        if look is None:
            return ()
        return seen_replicas(look, lambda port: self._keepers.endpoint(record.name, port))
