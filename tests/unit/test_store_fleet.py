"""Nodes and replicas move only as the table allows; each move is an event, and money follows."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest
from sqlalchemy.exc import IntegrityError

from bouted.errors import Gone
from bouted.events import EventKind, Severity
from bouted.reconcile.states import (
    NODE_MOVES,
    REPLICA_MOVES,
    NodeStatus,
    Reason,
    ReplicaStatus,
)
from bouted.store.events import list_events
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node, move_replica
from bouted.store.open import Store
from bouted.store.spend import committed_usd_per_hour
from bouted.testing.fleet import START
from bouted.testing.store import a_node, a_replica

N, R = NodeStatus, ReplicaStatus


@pytest.fixture
def store(each_store: Store) -> Store:
    return each_store


def later(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_a_fleet_comes_back_as_it_was_written(store: Store) -> None:
    node = a_node(small=2)
    replicas = (a_replica(node), a_replica(node, position=1))
    add_node(store, node)
    for replica in replicas:
        add_replica(store, replica)
    fleet = load_fleet(store, START)
    assert fleet.nodes == (node,)
    assert fleet.replicas == replicas
    assert fleet.incarnations == ((node.slot, 1),)


def test_writing_a_node_again_after_a_crash_leaves_it_as_it_is(store: Store) -> None:
    node, replica = a_node(), a_replica(a_node())
    add_node(store, node)
    add_replica(store, replica)
    up = move_node(store, node.name, N.LAUNCHING, Reason.PLAN, START)
    add_node(store, node)
    add_replica(store, replace(replica, status=R.READY))
    fleet = load_fleet(store, START)
    assert fleet.nodes == (up,)
    assert fleet.replicas == (replica,)


def test_a_replica_needs_its_node(store: Store) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        add_replica(store, a_replica(a_node("nowhere")))


def test_nodes_move_only_as_the_table_allows(store: Store) -> None:
    for before, after in product(N, N):
        name = f"{before}-{after}"
        add_node(store, replace(a_node(name), status=before))
        if after is before or after in NODE_MOVES[before]:
            assert move_node(store, name, after, Reason.OBSERVED, START).status is after
        else:
            with pytest.raises(ValueError, match="cannot go from"):
                move_node(store, name, after, Reason.OBSERVED, START)


def test_replicas_move_only_as_the_table_allows(store: Store) -> None:
    node = a_node()
    add_node(store, node)
    for place, (before, after) in enumerate(product(R, R)):
        replica = replace(a_replica(node), name=f"r{place}", position=place, status=before)
        add_replica(store, replica)
        if after is before or after in REPLICA_MOVES[before]:
            assert move_replica(store, replica.name, after, Reason.OBSERVED, START).status is after
        else:
            with pytest.raises(ValueError, match="cannot go from"):
                move_replica(store, replica.name, after, Reason.OBSERVED, START)


def test_a_forbidden_move_leaves_row_events_and_money_alone(store: Store) -> None:
    node = a_node()
    add_node(store, node)
    with pytest.raises(ValueError, match="planned to up"):
        move_node(store, node.name, N.UP, Reason.OBSERVED, START, launched_at=START, note="x")
    assert load_fleet(store, START).nodes == (node,)
    assert list_events(store) == ()
    assert committed_usd_per_hour(store) == 0


def test_each_move_is_told_as_an_event(store: Store) -> None:
    node, replica = a_node(), a_replica(a_node())
    add_node(store, node)
    add_replica(store, replica)
    move_node(store, node.name, N.LAUNCHING, Reason.PLAN, later(1))
    move_replica(store, replica.name, R.STARTING, Reason.PLAN, later(2))
    move_replica(store, replica.name, R.FAILED, Reason.LOST, later(3), note="exit 137")
    newest, second, first = list_events(store)
    assert (first.kind, first.subject) == (EventKind.NODE_STATUS, "t-1")
    assert first.message == "node t-1: planned -> launching (plan)"
    assert second.message == "replica t-1-0-1: planned -> starting (plan)"
    assert newest.message == "replica t-1-0-1: starting -> failed (lost): exit 137"
    assert (newest.severity, newest.at) == (Severity.WARNING, later(3))


def test_a_move_to_where_it_is_changes_only_note_launch_time_and_endpoint(store: Store) -> None:
    node, replica = a_node(), a_replica(a_node())
    add_node(store, node)
    add_replica(store, replica)
    launching = move_node(store, node.name, N.LAUNCHING, Reason.PLAN, later(1))
    again = move_node(
        store, node.name, N.LAUNCHING, Reason.OBSERVED, later(2), launched_at=later(1), note="slow"
    )
    assert again == replace(launching, launched_at=later(1), note="slow")
    same = move_replica(store, replica.name, R.PLANNED, Reason.OBSERVED, later(2), endpoint="http://x")
    assert same == replace(replica, endpoint="http://x")
    assert move_replica(store, replica.name, R.STARTING, Reason.PLAN, later(3)).endpoint == "http://x"
    assert len(list_events(store)) == 2


def test_moving_what_is_not_there_is_gone(store: Store) -> None:
    with pytest.raises(Gone, match="no node x"):
        move_node(store, "x", N.UP, Reason.PLAN, START)
    with pytest.raises(Gone, match="no replica x"):
        move_replica(store, "x", R.READY, Reason.PLAN, START)


def test_what_ended_over_an_hour_ago_leaves_the_picture_but_its_number_is_kept(store: Store) -> None:
    ended = replace(a_node("old", slot="s", incarnation=7), status=N.GONE)
    add_node(store, ended)
    add_node(store, a_node("new", slot="s", incarnation=3))
    assert [node.name for node in load_fleet(store, later(60)).nodes] == ["new", "old"]
    fleet = load_fleet(store, later(61))
    assert [node.name for node in fleet.nodes] == ["new"]
    assert fleet.incarnations == (("s", 7),)


def test_the_last_replica_of_a_place_is_kept_while_its_node_lives(store: Store) -> None:
    node = a_node()
    add_node(store, node)
    for incarnation in (1, 2):
        add_replica(store, replace(a_replica(node, incarnation=incarnation), status=R.FAILED))
    assert [replica.incarnation for replica in load_fleet(store, later(61)).replicas] == [2]
    move_node(store, node.name, N.GONE, Reason.PLAN, later(61))
    assert load_fleet(store, later(61)).replicas == ()


@pytest.mark.parametrize("status", [N.LAUNCHING, N.UP, N.STOPPING])
def test_a_node_that_was_found_running_costs_from_the_start(store: Store, status: NodeStatus) -> None:
    add_node(store, replace(a_node(usd_per_hour="2.50"), status=status))
    assert committed_usd_per_hour(store) == Decimal("2.50")
