"""The keepers of a deployment's nodes, each reached in its own way: through a tunnel, or on this machine."""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from bouted.clock import Clock
from bouted.errors import BoutedError, Gone, Retryable

from .node_client import NodeClient
from .node_look import NO_WORD, NodeLook, Word

log = logging.getLogger(__name__)

AT_ONCE = 16
PATIENCE_S = 3.0
AGAIN_S = 2.0
LEASE_SLACK_S = 5.0
OWN_PORT = 0
"""Asked of a way where keepers do not all listen at the same port: it knows its own."""
T = TypeVar("T")


class Named(Protocol):
    """What is on record of a node: its name, and whatever its way needs."""

    @property
    def name(self) -> str:
        """The node's name."""
        ...


N = TypeVar("N", bound=Named)


class Way(Protocol):
    """How one node's loopback is reached from here."""

    def port(self, remote: int) -> int:
        """A loopback port here that leads to that one there; Retryable when the node is not reached."""
        ...

    def close(self) -> None:
        """Leave nothing of it here."""
        ...

    @property
    def folder(self) -> Path:
        """Where its commands are run."""
        ...

    def command(self, *remote: str) -> tuple[str, ...]:
        """The command of this machine that runs `remote` on the node, or a shell."""
        ...


@dataclass(slots=True)
class _Door:
    way: Way
    client: NodeClient | None = None
    ports: dict[int, int] = field(default_factory=dict)
    stale: bool = False


@dataclass(slots=True, kw_only=True)
class Keepers(Generic[N]):
    """Asks keepers, many at once. `heard` is the last look at each node, `words` whether it answers now.

    A way that stood is tried as it is; only a keeper that does not answer makes it be looked at anew.
    """

    clock: Clock
    way: Callable[[N], Way]
    token: Callable[[str], str]
    keeper_port: int
    heard: dict[str, NodeLook] = field(default_factory=dict)
    words: dict[str, Word] = field(default_factory=dict)
    _doors: dict[str, _Door] = field(default_factory=dict, init=False)
    _asked: "dict[str, Future[NodeLook | None]]" = field(default_factory=dict, init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="keepers")

    def word(self, name: str) -> Word:
        """Whether the keeper answered when it was last asked."""
        return self.words.get(name, NO_WORD)

    def look(self, records: Iterable[N]) -> None:
        """Ask all of these nodes, and wait for PATIENCE_S at most: one that is slow to fail is
        silent until it has answered, and holds up nobody."""
        asked = {record.name: record for record in records}
        for name in self._doors.keys() - asked.keys():
            self.forget(name)
        for name, record in asked.items():
            if name not in self._asked:
                self._asked[name] = self._pool.submit(self._look, record)
        wait(self._asked.values(), timeout=PATIENCE_S)
        now = self.clock.now()
        for name in asked:
            answer = self._asked[name]
            self._hear(name, answer.result() if answer.done() else None, now)
        self._asked = {name: answer for name, answer in self._asked.items() if not answer.done()}

    def _hear(self, name: str, found: NodeLook | None, now: datetime) -> None:
        if found is not None:
            self.heard[name] = found
        if found is not None and found.lease_left_s > 0:  # else it is ending the node
            self.words[name] = Word(answers=True)
            return
        before = self.words.get(name, NO_WORD)
        self.words[name] = replace(before, answers=False, silent_since=before.silent_since or now)

    def _look(self, record: N) -> NodeLook | None:
        """What the keeper says, None when it does not; the ways to its engines are found here,
        too, where nobody waits for one that is slow to fail."""
        found = self._asked_for_look(record)
        known = found or self.heard.get(record.name)
        if known is not None:
            self._find_ports(record.name, (kept.port for kept in known.replicas if kept.port))
        return found

    def _find_ports(self, name: str, remote: Iterable[int]) -> None:
        door = self._doors.get(name)
        if door is None:
            return
        known = {} if door.stale else door.ports
        try:
            door.ports = {port: known.get(port) or door.way.port(port) for port in remote}
            door.stale = False
        except (Retryable, Gone):  # one that is not reached has no ports
            door.ports = {}

    def _asked_for_look(self, record: N) -> NodeLook | None:
        try:
            return self.ask(record, NodeClient.look)
        except Gone as error:  # nothing listens there: what ran there does not run
            self.heard.pop(record.name, None)
            log.debug("%s: %s", record.name, error)
            return None
        except BoutedError as error:
            log.debug("%s: %s", record.name, error)
            return None

    def ask(self, record: N, call: Callable[[NodeClient], T]) -> T:
        """One call to a node's keeper; through its way as it stood, then through one looked at anew."""
        door = self._doors.setdefault(record.name, _Door(self.way(record)))
        client = door.client
        if client is not None:
            try:
                return call(client)
            except Retryable:
                client.close()
                if door.client is client:  # nobody else has looked anew meanwhile
                    door.client, door.stale = None, True
        port = door.way.port(self.keeper_port)
        token = self.token(record.name)
        client = NodeClient(f"http://127.0.0.1:{port}", token, node=record.name)
        replaced, door.client = door.client, client
        if replaced is not None:
            replaced.close()
        return call(client)

    def each(self, records: Iterable[N], call: Callable[[NodeClient], object]) -> Mapping[str, str]:
        """The same call to many at once: why it failed, by node."""

        def one(record: N) -> str:
            try:
                self.ask(record, call)
            except BoutedError as error:
                return str(error)
            return ""

        asked = list(records)
        said = zip(asked, self._pool.map(one, asked), strict=True)
        return {record.name: why for record, why in said if why}

    def renew(self, records: Iterable[N], for_s: float) -> None:
        """Move the leases of these nodes; Retryable where that failed."""
        asked = list(records)
        failed = self.each(asked, lambda keeper: keeper.renew(for_s))
        if failed:
            name, why = next(iter(failed.items()))
            raise Retryable(f"{len(failed)} of {len(asked)} leases, {name}: {why}", after_s=AGAIN_S)

    def hold(self, record: N, until: datetime) -> None:
        """Move the lease of a keeper that missed its last renewal, or was not there yet."""
        look = self.heard.get(record.name) if self.word(record.name).answers else None
        lacks_s = (until - self.clock.now()).total_seconds()
        if look is not None and lacks_s > look.lease_left_s + LEASE_SLACK_S:
            with suppress(BoutedError):  # the next look finds it lacking again
                self.ask(record, lambda keeper: keeper.renew(lacks_s))

    def endpoint(self, name: str, remote: int) -> str:
        """Where an engine's port on that node is reached from here, by the last look; "" while it is not."""
        door = self._doors.get(name)
        local = door.ports.get(remote) if door is not None else None
        return f"http://127.0.0.1:{local}" if local is not None else ""

    def close(self) -> None:
        """Ask nobody any more. The ways stay: whoever comes next goes on with them."""
        self._pool.shutdown()
        for door in self._doors.values():
            if door.client is not None:
                door.client.close()

    def forget(self, name: str) -> None:
        """Close the way to a node that is gone."""
        self.heard.pop(name, None)
        self.words.pop(name, None)
        door = self._doors.pop(name, None)
        if door is not None:
            if door.client is not None:
                door.client.close()
            try:
                door.way.close()
            except BoutedError as error:
                log.debug("%s: %s", name, error)
