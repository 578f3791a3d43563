"""What the daemon believes of what it sees: rows, a cloud in memory, and looks and sweeps some time apart."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bouted.daemon.sight import ABSENT_S, Look, Sight
from bouted.daemon.sweeping import Sweeper
from bouted.errors import Retryable
from bouted.events import Event, EventKind
from bouted.perf.flags import EngineFlags
from bouted.reconcile.absence import ALL_FACTOR
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.launcher import KnownNode, NodeOrder, ReplicaOrder, Seen, SeenNode
from bouted.reconcile.names import node_name
from bouted.reconcile.observe import Health
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.reconcile.sweep import SETTLE_S
from bouted.store.control import update_control
from bouted.store.events import list_events
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node
from bouted.store.open import Store, open_store
from bouted.store.prices import record_offers
from bouted.store.spend import spend_usd
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import limits
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.orders import EASY_COSTS, a_node_order
from bouted.testing.store import a_node, a_replica, fresh_store

HOUR_S = 3600.0
SLOT = a_node().slot


class Stale(MemoryLauncher):
    """Its list lacks the names in `hidden`; with `broken` there is no list at all. One that `forgot` all that
    it wrote down looks only where it is told to."""

    hidden: frozenset[str] = frozenset()
    forgot: bool = False
    broken: bool = False

    def seen(self) -> Seen:
        if self.broken:
            raise Retryable("503 service unavailable", after_s=5.0)
        seen = super().seen() if not self.forgot else Seen(nodes=(), replicas=())
        return Seen(
            nodes=tuple(node for node in seen.nodes if node.name not in self.hidden),
            replicas=tuple(r for r in seen.replicas if not {r.name, r.node} & self.hidden),
        )

    def sweep(self, known: Sequence[KnownNode] = ()) -> tuple[SeenNode, ...]:
        forgot, self.forgot = self.forgot, False
        listed = self.seen().nodes if known or not forgot else ()
        self.forgot = forgot
        return listed


class Prober:
    """Every engine that is asked answers, but those in `silent`. `meanwhile` happens as they are asked."""

    def __init__(self) -> None:
        self.metrics: dict[str, str] = {}
        self.silent: frozenset[str] = frozenset()
        self.meanwhile: Callable[[], None] = lambda: None

    async def probe(self, seen: Seen) -> tuple[Health, ...]:
        self.meanwhile()
        return tuple(
            Health(replica=r.name, ok=r.name not in self.silent, running=0, waiting=0)
            for r in seen.replicas
            if r.endpoint
        )

    async def close(self) -> None:
        """Nothing to close."""


class Bench:
    """Nodes with one engine each, up and ready since the beginning."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, ManualClock()
        self.cloud = MemoryCloud(self.clock, boot_s=0.0, listen_s=0.0)
        self.launcher = Stale(self.cloud, "t", deadman_s=24 * HOUR_S)
        self.prober = Prober()
        self.sight = self.restarted()
        self.sweeper = Sweeper(
            store=store,
            launcher=self.launcher,
            clock=self.clock,
            deployment="t",
            grace_s=lambda: 600.0,
        )

    def restarted(self) -> Sight:
        return Sight(
            store=self.store,
            launcher=self.launcher,
            prober=self.prober,
            clock=self.clock,
            limits=lambda: limits(stop_timeout_s=600.0),
        )

    def start(self, incarnation: int, *, row: bool = True, engine: bool = True) -> str:
        name = node_name("t", SLOT, incarnation)
        self.launcher.launch(NodeOrder(name=name, offer=a_node_order().offer))
        if row:
            now = self.clock.now()
            node = replace(a_node(name, incarnation=incarnation), status=NodeStatus.UP, since=now)
            add_node(self.store, node)
            if engine:
                self._engine(node)
        return name

    def _engine(self, node: Node) -> None:
        replica = replace(
            a_replica(node), status=ReplicaStatus.READY, since=self.clock.now(), endpoint="http://there"
        )
        order = ReplicaOrder(
            name=replica.name,
            node=node.name,
            shape=replica.shape,
            served_model="small",
            weights="example/small",
            flags=EngineFlags(max_model_len=4096),
            costs=EASY_COSTS,
        )
        self.launcher.start_replica(order)
        add_replica(self.store, replica)

    def look(self, later_s: float = 0.0) -> Look:
        self.clock.advance(later_s)
        return asyncio.run(self.sight.look())

    def sweep(self, later_s: float = 0.0) -> None:
        self.clock.advance(later_s)
        asyncio.run(self.sweeper.tick(frozenset()))

    def fleet(self) -> FleetState:
        return load_fleet(self.store, self.clock.now())

    def node(self, name: str) -> Node:
        return next(node for node in self.fleet().nodes if node.name == name)

    def replica(self, node: str) -> Replica:
        return next(replica for replica in self.fleet().replicas if replica.node == node)

    def told(self, kind: EventKind) -> list[Event]:
        return [event for event in list_events(self.store) if event.kind is kind][::-1]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = fresh_store(tmp_path)
    yield Bench(store)
    store.close()


def test_a_list_that_lacks_a_node_for_a_moment_changes_nothing(bench: Bench) -> None:
    name = bench.start(1, engine=False)
    bench.launcher.hidden = frozenset({name})
    bench.look(1.0)
    bench.look(ABSENT_S - 1)
    bench.launcher.hidden = frozenset()
    bench.look(1.0)
    bench.launcher.hidden = frozenset({name})
    bench.look(ABSENT_S)
    assert bench.node(name).status is NodeStatus.UP


def test_what_a_launcher_forgot_is_found_where_its_row_says_and_ended(bench: Bench) -> None:
    name = bench.start(1, engine=False)
    bench.launcher.forgot = True
    bench.look(1.0)
    bench.look(ABSENT_S)
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.FAILED, Reason.LOST)
    bench.sweep(SETTLE_S)
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.STOPPING, Reason.STRAY)


def test_a_node_that_lists_go_on_lacking_is_lost(bench: Bench) -> None:
    name = bench.start(1, engine=False)
    bench.launcher.hidden = frozenset({name})
    bench.look(1.0)
    bench.look(ABSENT_S)
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.FAILED, Reason.LOST)


def test_a_restart_just_confirms_again(bench: Bench) -> None:
    name = bench.start(1, engine=False)
    bench.launcher.hidden = frozenset({name})
    bench.look(1.0)
    bench.sight = bench.restarted()
    bench.look(ABSENT_S)
    assert bench.node(name).status is NodeStatus.UP
    bench.look(ABSENT_S)
    assert bench.node(name).status is NodeStatus.FAILED


def test_while_its_engine_answers_a_node_is_there_whatever_the_list_lacks(bench: Bench) -> None:
    name = bench.start(1)
    bench.launcher.hidden = frozenset({name})
    for _ in range(10):
        bench.look(60.0)
    assert bench.node(name).status is NodeStatus.UP
    assert bench.replica(name).status is ReplicaStatus.READY
    bench.prober.silent = frozenset({bench.replica(name).name})
    bench.look(1.0)
    assert bench.node(name).status is NodeStatus.FAILED


def test_what_the_provider_says_has_ended_is_believed_at_once_with_its_time(bench: Bench) -> None:
    name = bench.start(1)
    bench.look(60.0)
    bench.cloud.lose_node(name)
    bench.look(10.0)
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.FAILED, Reason.LOST)
    assert bench.replica(name).reason is Reason.NODE_ENDED
    since = bench.clock.now() - timedelta(hours=1)
    spent = spend_usd(bench.store, since, bench.clock.now())
    assert spent == bench.node(name).offer.usd_per_hour * 60 / 3600  # to the provider's end, not to the look


def test_all_nodes_vanishing_at_once_is_told_and_not_believed_for_long(bench: Bench) -> None:
    names = [bench.start(n, engine=False) for n in (1, 2, 3)]
    bench.launcher.hidden = frozenset(names)
    for _ in range(3):
        bench.look(ABSENT_S)
    assert {bench.node(name).status for name in names} == {NodeStatus.UP}
    assert bench.sight.blindness.trouble.startswith("memory lists none of 3 nodes all at once")
    bench.launcher.hidden = frozenset()
    bench.look(1.0)
    assert [event.message for event in bench.told(EventKind.SIGHT)] == [
        "memory lists none of 3 nodes all at once: not believed yet;"
        " look at your credentials, or your provider's status page",
        "memory lists what runs again",
    ]


def test_in_the_end_all_of_them_are_lost(bench: Bench) -> None:
    names = [bench.start(n, engine=False) for n in (1, 2, 3)]
    bench.launcher.hidden = frozenset(names)
    bench.look(1.0)
    bench.look(ABSENT_S * ALL_FACTOR)
    assert {bench.node(name).status for name in names} == {NodeStatus.FAILED}


def test_a_launcher_that_cannot_be_asked_blinds_nobody(bench: Bench) -> None:
    name = bench.start(1)
    bench.launcher.broken = True
    for _ in range(3):
        look = bench.look(60.0)
    assert (bench.node(name).status, look.observation.unseen) == (NodeStatus.UP, frozenset())
    assert "memory cannot be asked what runs: 503 service unavailable" in bench.sight.blindness.trouble
    assert [health.ok for health in look.health] == [True]
    bench.launcher.broken = False
    bench.look(1.0)
    assert bench.sight.blindness.trouble == ""


def test_a_node_that_does_not_stop_needs_attention_and_is_gone_when_it_ends(bench: Bench) -> None:
    name = bench.start(1, engine=False)
    move_node(bench.store, name, NodeStatus.STOPPING, Reason.SUPERSEDED, bench.clock.now())
    bench.look(601.0)
    assert (bench.node(name).status, bench.node(name).reason) == (
        NodeStatus.NEEDS_ATTENTION,
        Reason.TIMEOUT,
    )
    assert f"bouted reap {name}" in bench.node(name).note
    bench.cloud.lose_node(name)
    bench.look(1.0)
    assert bench.node(name).status is NodeStatus.GONE


def test_a_row_that_another_process_moved_meanwhile_is_judged_anew(bench: Bench) -> None:
    now, name = bench.clock.now(), bench.start(1, row=False)
    add_node(bench.store, replace(a_node(name, incarnation=1), status=NodeStatus.LAUNCHING, since=now))

    def reaped() -> None:
        with closing(open_store(bench.store.url)) as theirs:
            move_node(theirs, name, NodeStatus.STOPPING, Reason.OPERATOR, now)

    bench.prober.meanwhile = reaped
    look = bench.look(1.0)
    assert [(move.name, move.status) for move in look.observation.nodes] == [(name, NodeStatus.UP)]
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.STOPPING, Reason.OPERATOR)


def test_a_node_without_a_row_is_ended_through_a_row(bench: Bench) -> None:
    record_offers(bench.store, (a_node_order().offer,), bench.clock.now())
    bench.start(1)
    orphan = bench.start(2, row=False)
    bench.sweep(300.0)
    assert [event.message for event in bench.told(EventKind.SWEEP)] == [
        f"{orphan} runs without a row: too young to judge"
    ]
    bench.sweep(300.0)
    row = bench.node(orphan)
    assert (row.status, row.reason) == (NodeStatus.STOPPING, Reason.ORPHAN)
    assert (row.slot, row.incarnation) == (SLOT, 2)
    assert bench.fleet().committed_usd_per_hour() == 2 * row.usd_per_hour


def test_while_paused_an_orphan_is_told_of_and_left(bench: Bench) -> None:
    orphan = bench.start(1, row=False)
    update_control(bench.store, bench.clock.now(), "ana", paused=True)
    bench.sweep(700.0)
    assert bench.fleet().nodes == ()
    assert (
        bench.told(EventKind.SWEEP)[0].message
        == f"{orphan} runs without a row: paused, so it is left running"
    )


def test_a_whole_fleet_without_rows_is_left_for_a_person(bench: Bench) -> None:
    for n in (1, 2, 3):
        bench.start(n, row=False)
    bench.sweep(700.0)
    assert bench.fleet().nodes == ()
    assert bench.sweeper.trouble.startswith("3 nodes run under our mark without a row")


def test_a_launch_that_came_long_after_its_row_had_failed_is_stopped_again(bench: Bench) -> None:
    name = node_name("t", SLOT, 1)
    add_node(bench.store, replace(a_node(name), status=NodeStatus.LAUNCHING, since=bench.clock.now()))
    move_node(bench.store, name, NodeStatus.FAILED, Reason.TIMEOUT, bench.clock.now())
    bench.clock.advance(5 * HOUR_S)
    bench.start(1, row=False)
    bench.sweep(1.0)
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.STOPPING, Reason.STRAY)


def test_what_was_first_listed_later_than_now_gets_old_from_now_on(bench: Bench) -> None:
    stray = SeenNode(name=node_name("t", SLOT, 1), up=True, started_at=None)
    bench.sweeper.find((stray,))
    bench.sweeper.clock = clock = ManualClock(bench.clock.now() - timedelta(days=1))
    assert bench.sweeper.find((stray,)).orphans == ()
    clock.advance(600.0)
    assert bench.sweeper.find((stray,)).orphans == (stray,)


def test_a_row_that_two_sweeps_find_nothing_for_is_lost(bench: Bench) -> None:
    name = bench.start(1, engine=False)
    bench.start(2)
    bench.launcher.hidden = frozenset({name})
    bench.sweep(300.0)
    assert bench.node(name).status is NodeStatus.UP
    bench.sweep(300.0)
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.FAILED, Reason.LOST)


def test_a_node_that_nobody_renewed_is_lost_with_the_providers_end(bench: Bench) -> None:
    name = bench.start(1)
    born: datetime = bench.clock.now()
    bench.look(25 * HOUR_S)
    assert (bench.node(name).status, bench.node(name).reason) == (NodeStatus.FAILED, Reason.LOST)
    spent = spend_usd(bench.store, born - timedelta(hours=1), bench.clock.now())
    assert spent == 24 * bench.node(name).offer.usd_per_hour


def test_times_that_are_corrected_long_after_the_end_are_written(bench: Bench) -> None:
    name = bench.start(1, engine=False)
    born: datetime = bench.clock.now()
    bench.clock.advance(HOUR_S)
    move_node(bench.store, name, NodeStatus.STOPPING, Reason.SUPERSEDED, bench.clock.now())
    move_node(bench.store, name, NodeStatus.GONE, Reason.SUPERSEDED, bench.clock.now())
    bench.cloud.lose_node(name)
    bench.sweep(3 * HOUR_S)
    spent = spend_usd(bench.store, born - timedelta(hours=1), bench.clock.now())
    assert spent == a_node().offer.usd_per_hour
