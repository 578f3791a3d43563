"""Somebody edits rows by hand. Whatever they write, every pass goes on, no money is lost from sight, and
what is wrong is told with a way out."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from bouted.daemon.reconciling import Pass
from bouted.errors import Misconfigured
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.control import load_control
from bouted.store.events import list_events
from bouted.store.fleet import load_fleet, move_node
from bouted.store.plans import desired_plan, let_go, list_plans, load_plan
from bouted.store.session import Store
from bouted.store.snapshot import load_snapshot
from bouted.testing.fleet import an_offer, planned
from bouted.testing.passes import Passes, passes_over

WANTED = planned(an_offer(usd_per_hour="3.00"), 2, small=1)


@pytest.fixture
def running(each_store: Store, tmp_path: Path) -> Passes:
    """Two nodes with a replica each, all of it serving."""
    passes = passes_over(each_store, tmp_path)
    passes.want("p1", WANTED)
    asyncio.run(passes.go(12))
    fleet = load_fleet(passes.store, passes.clock.now())
    assert [node.status for node in fleet.nodes] == [NodeStatus.UP] * 2
    assert [replica.status for replica in fleet.replicas] == [ReplicaStatus.READY] * 2
    return passes


def edited(passes: Passes, statement: str, **values: object) -> None:
    """What somebody does with a client of the database: keys are not enforced there either."""
    with passes.store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.rollback()
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
        connection.execute(text(statement), values)
        connection.commit()
        if connection.dialect.name == "sqlite":
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys = ON")  # type: ignore[union-attr]


def fleet_of(passes: Passes) -> FleetState:
    return load_fleet(passes.store, passes.clock.now())


def first_node(passes: Passes) -> str:
    return fleet_of(passes).nodes[0].name


def on_sqlite(passes: Passes) -> bool:
    return passes.store.url.startswith("sqlite")


def go(passes: Passes, seconds: int = 3) -> Pass:
    return asyncio.run(passes.go(seconds))


# a word that is none


def test_a_status_that_is_none_needs_attention_and_says_what_it_was(running: Passes) -> None:
    name = first_node(running)
    edited(running, "UPDATE nodes SET status = 'upp' WHERE name = :name", name=name)
    node = fleet_of(running).nodes[0]
    assert (node.status, node.reason) == (NodeStatus.NEEDS_ATTENTION, Reason.UNEXPECTED)
    assert node.note.startswith(f'status was "upp"; set it right, or: bouted reap {name}')
    assert fleet_of(running).committed_usd_per_hour() == Decimal("6.00")
    assert len(fleet_of(running).replicas) == 2


def test_a_replicas_status_that_is_none_needs_attention(running: Passes) -> None:
    name = fleet_of(running).replicas[0].name
    edited(running, "UPDATE replicas SET status = '' WHERE name = :name", name=name)
    replica = fleet_of(running).replicas[0]
    assert replica.status is ReplicaStatus.NEEDS_ATTENTION
    assert replica.note.startswith(f'status was ""; set it right, or: bouted reap {name}')


def test_a_reason_that_is_none_is_told_and_changes_nothing_else(running: Passes) -> None:
    edited(running, "UPDATE nodes SET reason = 'because'")
    edited(running, "UPDATE replicas SET reason = 'because'")
    fleet = fleet_of(running)
    assert [node.status for node in fleet.nodes] == [NodeStatus.UP] * 2
    assert [replica.status for replica in fleet.replicas] == [ReplicaStatus.READY] * 2
    told = [(node.reason, node.note) for node in fleet.nodes]
    told += [(replica.reason, replica.note) for replica in fleet.replicas]
    assert set(told) == {(Reason.UNEXPECTED, 'reason was "because"')}


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ("status = 'gone'", "status was gone, and nobody saw it end"),
        ("ended_at = since", "status was up, but it ended at"),
    ],
)
def test_an_end_that_stands_in_one_place_only_needs_attention_and_stays_paid(
    running: Passes, edit: str, says: str
) -> None:
    edited(running, f"UPDATE nodes SET {edit}")
    fleet = fleet_of(running)
    assert [node.status for node in fleet.nodes] == [NodeStatus.NEEDS_ATTENTION] * 2
    assert all(node.note.startswith(says) for node in fleet.nodes)
    assert fleet.committed_usd_per_hour() == Decimal("6.00")


# a row that cannot be read

GARBLED = [
    pytest.param("nodes", "offer", "{", id="half an offer"),
    pytest.param("nodes", "offer", "{}", id="an empty offer"),
    pytest.param("nodes", "template", "cheap please", id="no template"),
    pytest.param("replicas", "shape", "[]", id="no shape"),
    pytest.param("nodes", "incarnation", "one", id="a number in words"),
    pytest.param("nodes", "since", "yesterday", id="a time in words"),
    pytest.param("nodes", "launched_at", "2026-13-40", id="a time that is none"),
    pytest.param("nodes", "ended_at", "soon", id="an end that is none"),
    pytest.param("replicas", "position", "left", id="a place in words"),
    pytest.param("replicas", "incarnation", "x", id="a replica's number in words"),
    pytest.param("replicas", "since", "-", id="a replica's time that is none"),
]


@pytest.mark.parametrize(("table", "column", "value"), GARBLED)
def test_a_row_that_cannot_be_read_is_told_and_hides_no_other(
    running: Passes, table: str, column: str, value: str
) -> None:
    typed = column not in ("offer", "template", "shape")
    if typed and not on_sqlite(running):
        pytest.skip("PostgreSQL refuses this edit itself")
    before = fleet_of(running)
    name = before.nodes[0].name if table == "nodes" else before.replicas[0].name
    edited(running, f"UPDATE {table} SET {column} = :value WHERE name = :name", value=value, name=name)
    last = go(running)
    (row,) = last.fleet.unreadable
    assert (row.name, row.hint) == (name, f"set it right, or: bouted reap {name}")
    assert row.why == f'{column} cannot be read: "{value}"'
    assert row.is_node is (table == "nodes")
    assert row.usd_per_hour == (Decimal("3.00") if table == "nodes" else 0)
    assert before.nodes[1] in last.fleet.nodes
    assert before.replicas[1] in last.fleet.replicas
    with running.store.engine.connect() as connection:
        kept = connection.execute(text(f"SELECT {column} FROM {table} WHERE name = '{name}'")).scalar()
    assert kept == value, "the row is left as it is"


def test_nothing_of_an_unreadable_node_is_stopped_and_its_replica_goes_on(running: Passes) -> None:
    name = first_node(running)
    edited(running, "UPDATE nodes SET offer = 'x' WHERE name = :name", name=name)
    last = go(running, 30)
    assert last.fleet.committed_usd_per_hour() >= Decimal("6.00")
    assert not [call for call in running.cloud.calls if call[0] in ("stop_node", "stop_replica")]
    serving = [replica for replica in last.fleet.replicas if replica.node == name]
    assert [replica.status for replica in serving] == [ReplicaStatus.READY]


def test_a_node_in_the_place_of_an_unreadable_one_has_a_name_of_its_own(running: Passes) -> None:
    if not on_sqlite(running):
        pytest.skip("PostgreSQL refuses this edit itself")
    name = first_node(running)
    edited(running, "UPDATE nodes SET incarnation = 'one' WHERE name = :name", name=name)
    go(running, 10)
    assert len(set(running.launches())) == len(running.launches()) == 3


def test_an_unreadable_row_is_not_moved_and_the_refusal_has_a_hint(running: Passes) -> None:
    name = first_node(running)
    edited(running, "UPDATE nodes SET offer = 'x' WHERE name = :name", name=name)
    with pytest.raises(Misconfigured, match="makes no sense: offer cannot be read") as refused:
        move_node(running.store, name, NodeStatus.STOPPING, Reason.OPERATOR, running.clock.now())
    assert refused.value.hint == f"set it right, or: bouted reap {name}"


# half-dead rows


def test_a_replica_without_a_node_needs_attention(running: Passes) -> None:
    if not on_sqlite(running):
        pytest.skip("PostgreSQL refuses this edit itself")
    name = fleet_of(running).replicas[0].name
    edited(running, "UPDATE replicas SET node = 'nowhere' WHERE name = :name", name=name)
    replica = next(one for one in fleet_of(running).replicas if one.name == name)
    assert replica.status is ReplicaStatus.NEEDS_ATTENTION
    assert replica.note.startswith(
        "was ready, but its node nowhere has no row, or ended long ago; set it right"
    )
    go(running)


def test_of_two_replicas_in_one_place_the_older_needs_attention(running: Passes) -> None:
    one, two = fleet_of(running).replicas
    edited(running, "UPDATE replicas SET node = :node, incarnation = 2 WHERE name = :name",
           node=one.node, name=two.name)  # fmt: skip
    found = {replica.name: replica for replica in fleet_of(running).replicas}
    assert found[one.name].status is ReplicaStatus.NEEDS_ATTENTION
    assert found[one.name].note.startswith(f"was ready, but {two.name} has the same place 0")
    assert found[two.name].status is ReplicaStatus.READY
    go(running)


@pytest.mark.parametrize("position", [-1, 1, 99])
def test_a_place_that_the_node_does_not_have_needs_attention(running: Passes, position: int) -> None:
    name = fleet_of(running).replicas[0].name
    edited(running, "UPDATE replicas SET position = :at WHERE name = :name", at=position, name=name)
    found = {replica.name: replica for replica in fleet_of(running).replicas}
    assert found[name].status is ReplicaStatus.NEEDS_ATTENTION
    assert f"it has place {position} of 1 on its node" in found[name].note
    go(running)


# other rows that every pass reads


def test_a_plan_that_cannot_be_read_is_taken_out_of_force_and_the_fleet_goes_on(running: Passes) -> None:
    edited(running, "UPDATE plans SET body = '{' WHERE id = 'p1'")
    assert desired_plan(running.store) is None
    assert list_plans(running.store, 10) == ()
    with pytest.raises(Misconfigured, match="p1 cannot be read"):
        load_plan(running.store, "p1")
    last = go(running, 60)
    assert [node.status for node in last.fleet.nodes] == [NodeStatus.UP] * 2
    assert not [call for call in running.cloud.calls if call[0] in ("stop_node", "stop_replica")]
    assert load_snapshot(running.store, running.clock.now()).spoilt == 'plan p1 cannot be read: "{"'
    let_go(running.store, "p1")
    assert load_snapshot(running.store, running.clock.now()).spoilt == ""
    running.want("p2", WANTED)
    assert [node.name for node in go(running, 30).fleet.nodes] == [node.name for node in last.fleet.nodes]


@pytest.mark.parametrize("edit", ["kind = 'sang'", "severity = 'loud'"])
def test_an_event_that_cannot_be_read_is_left_out(running: Passes, edit: str) -> None:
    before = list_events(running.store)
    edited(running, f"UPDATE events SET {edit} WHERE id = (SELECT max(id) FROM events)")
    assert len(list_events(running.store)) == len(before) - 1


def test_words_can_be_set_right_again(running: Passes) -> None:
    before = fleet_of(running)
    edited(running, "UPDATE nodes SET status = 'upp', reason = 'so'")
    edited(running, "UPDATE nodes SET status = 'up', reason = 'observed'")
    assert fleet_of(running) == before


def test_the_daemon_plans_anew_when_the_plan_in_force_cannot_be_read(running: Passes) -> None:
    edited(running, "UPDATE plans SET body = '[]' WHERE id = 'p1'")
    assert load_snapshot(running.store, running.clock.now()).spoilt == 'plan p1 cannot be read: "[]"'
    let_go(running.store, "p1")
    assert load_control(running.store).desired_plan_id is None
