"""Write transactions are short: nothing outside is waited for while one is open, in any test."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import event

from bouted.reconcile.launcher import KnownNode, Launcher, NodeOrder, ReplicaOrder, Seen, SeenNode
from bouted.reconcile.states import ReplicaStatus
from bouted.store.control import update_control
from bouted.store.engine import WRITES
from bouted.store.session import Store
from bouted.testing.fleet import an_offer, planned
from bouted.testing.passes import passes_over


def connect() -> None:
    with socket.socket() as one:
        one.settimeout(0.1)
        one.connect_ex(("127.0.0.1", 9))


def start() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.parametrize("outside", [connect, start])
def test_a_call_outside_while_a_transaction_writes_fails_the_test(
    outside: Callable[[], None], each_store: Store
) -> None:
    outside()
    with each_store.writing() as session:
        session.connection()
        with pytest.raises(AssertionError, match="while a transaction writes"):
            outside()
    outside()


@pytest.mark.parametrize("outside", [connect, start])
def test_reading_holds_nobody_up(outside: Callable[[], None], each_store: Store) -> None:
    with each_store.reading() as session:
        session.connection()
        outside()


@dataclass
class Watched:
    """Passes calls on; none may come while the store has a transaction open that writes."""

    inner: Launcher
    name: str
    writing: list[bool]
    calls: int = 0

    def _outside(self) -> Launcher:
        assert not any(self.writing), "the launcher was called while a transaction writes"
        self.calls += 1
        return self.inner

    def launch(self, order: NodeOrder) -> None:
        self._outside().launch(order)

    def start_replica(self, order: ReplicaOrder) -> None:
        self._outside().start_replica(order)

    def stop_replica(self, name: str, node: str) -> None:
        self._outside().stop_replica(name, node)

    def stop_node(self, name: str) -> None:
        self._outside().stop_node(name)

    def seen(self) -> Seen:
        return self._outside().seen()

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        return self._outside().sweep(known)

    def renew(self, nodes: tuple[str, ...], for_s: float) -> None:
        self._outside().renew(nodes, for_s)


def test_a_fleet_is_started_and_stopped_without_a_call_inside_a_transaction(
    each_store: Store, tmp_path: Path
) -> None:
    writing = [False]

    def begun(connection: object) -> None:
        writing[0] = bool(connection.get_execution_options().get(WRITES))  # type: ignore[attr-defined]

    def ended(_: object) -> None:
        writing[0] = False

    for name, listener in (("begin", begun), ("commit", ended), ("rollback", ended)):
        event.listen(each_store.engine, name, listener)
    launchers: list[Watched] = []

    def watched(inner: Launcher) -> Launcher:
        launchers.append(Watched(inner=inner, name=inner.name, writing=writing))
        return launchers[0]

    passes = passes_over(each_store, tmp_path, seen_through=watched)
    passes.want("p1", planned(an_offer(), 2, small=1))
    last = asyncio.run(passes.go(14))
    assert [replica.status for replica in last.fleet.replicas] == [ReplicaStatus.READY] * 2
    update_control(passes.store, passes.clock.now(), "me", down_requested=True)
    last = asyncio.run(passes.go(60))
    assert not [node for node in last.fleet.nodes if node.live]
    assert launchers[0].calls > 70
