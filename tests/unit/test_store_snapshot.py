"""Switches, plan and fleet as of one instant, read again only once there may be something new."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.control import update_control
from bouted.store.fleet import add_node, move_node
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store
from bouted.store.snapshot import load_snapshot, refreshed
from bouted.testing.fleet import START
from bouted.testing.store import a_node, fresh_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def test_what_was_read_stands_while_nobody_writes(store: Store) -> None:
    known = load_snapshot(store, START)
    assert refreshed(store, START, known) is known


def test_whatever_this_process_writes_is_seen_through_any_handle(store: Store) -> None:
    token = take_lease(store, DAEMON_LEASE, "a", START, 15.0)
    known = load_snapshot(store, START)
    add_node(store.fenced(DAEMON_LEASE, token), a_node())
    fresh = refreshed(store, START, known)
    assert fresh.fleet.nodes == (a_node(),)
    assert refreshed(store, START, fresh) is fresh


def test_a_write_that_failed_is_no_reason_to_trust_what_was_read(store: Store) -> None:
    add_node(store, a_node())
    known = load_snapshot(store, START)
    with pytest.raises(ValueError, match="cannot go from"):
        move_node(store, a_node().name, NodeStatus.UP, Reason.OBSERVED, START)
    assert refreshed(store, START, known) is not known


def test_what_others_write_is_seen_within_a_second(store: Store) -> None:
    known = load_snapshot(store, START)
    update_control(store, START, "cli", paused=True)
    store.writes.latest -= 1  # as if another process had written
    assert refreshed(store, START + timedelta(seconds=0.9), known) is known
    assert refreshed(store, START + timedelta(seconds=1), known).control.paused


def test_a_clock_that_was_set_back_makes_nothing_hold_longer(store: Store) -> None:
    known = load_snapshot(store, START)
    assert refreshed(store, START - timedelta(hours=1), known) is not known
