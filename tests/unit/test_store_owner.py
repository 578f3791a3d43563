"""A store is one deployment's, by the names of what lives in it and by who is active on it."""

from dataclasses import replace

import pytest

from bouted.errors import Misconfigured
from bouted.reconcile.names import deployment_of, node_name
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.board import publish_board
from bouted.store.fleet import add_node, move_node
from bouted.store.lease import DAEMON_LEASE, lease_now, release_lease, take_lease
from bouted.store.open import Store
from bouted.store.owner import require_own
from bouted.store.tables import BoardRow
from bouted.testing.fleet import START
from bouted.testing.store import a_board, a_node


def test_an_empty_store_is_anybodys(each_store: Store) -> None:
    require_own(each_store, "prod", START)


def test_nodes_that_live_under_another_name_are_not_taken_on(each_store: Store) -> None:
    name = node_name("prod", "slot", 1)
    add_node(each_store, replace(a_node(name), status=NodeStatus.UP, since=START))
    require_own(each_store, "prod", START)
    with pytest.raises(Misconfigured, match="this database holds a node of deployment prod, not of prod-eu"):
        require_own(each_store, "prod-eu", START)
    move_node(each_store, name, NodeStatus.FAILED, Reason.LOST, START)
    require_own(each_store, "prod-eu", START)


def test_a_daemon_waits_for_none_of_another_deployment(each_store: Store) -> None:
    now = lease_now(each_store, START)
    publish_board(each_store, replace(a_board(START), deployment="prod"), START)
    require_own(each_store, "prod-eu", START)
    token = take_lease(each_store, DAEMON_LEASE, "host:folder", now, 3600.0)
    require_own(each_store, "prod", START)
    with pytest.raises(Misconfigured, match="the daemon of deployment prod is active on this database"):
        require_own(each_store, "prod-eu", START)
    release_lease(each_store, DAEMON_LEASE, "host:folder", token)
    require_own(each_store, "prod-eu", START)


def test_a_board_that_cannot_be_read_stops_no_daemon(each_store: Store) -> None:
    now = lease_now(each_store, START)
    take_lease(each_store, DAEMON_LEASE, "host:folder", now, 3600.0)
    with each_store.writing() as session:
        session.merge(BoardRow(id=1, body='{"half', written_at=START))
    require_own(each_store, "prod", START)


NAMES = [
    (node_name("prod", "slot", 3), "prod"),
    (node_name("prod-eu-1", "slot", 12), "prod-eu-1"),
    ("bt-prod", ""),
    ("adopted-10.0.0.9-8000", ""),
]


@pytest.mark.parametrize(("name", "deployment"), NAMES)
def test_a_nodes_name_tells_its_deployment(name: str, deployment: str) -> None:
    assert deployment_of(name) == deployment
