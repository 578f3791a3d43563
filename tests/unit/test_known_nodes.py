"""Where nodes are, or were lately, as a sweep asks for it."""

from dataclasses import replace
from datetime import timedelta

from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.fleet import add_node, move_node
from bouted.store.known_nodes import places_since
from bouted.store.open import Store
from bouted.testing.fleet import START, an_offer
from bouted.testing.store import a_node

DAY = timedelta(days=1)


def add(store: Store, name: str, provider: str, region: str, *, ended_days_ago: float | None = None) -> None:
    offer, since = an_offer(provider, region=region), START - 10 * DAY
    add_node(store, replace(a_node(name, slot=name), offer=offer, status=NodeStatus.UP, since=since))
    if ended_days_ago is not None:
        move_node(store, name, NodeStatus.FAILED, Reason.LOST, START - ended_days_ago * DAY)


def test_the_places_are_those_of_nodes_that_live_or_ended_lately_each_once(each_store: Store) -> None:
    add(each_store, "bt-t-1", "aws", "us-east-1")
    add(each_store, "bt-t-2", "aws", "us-east-1")
    add(each_store, "bt-t-3", "aws", "us-west-2", ended_days_ago=3)
    add(each_store, "bt-t-4", "gcp", "us-central1")
    add(each_store, "bt-t-5", "vast", "US", ended_days_ago=5)
    found = sorted((offer.provider, offer.region) for offer in places_since(each_store, START - 4 * DAY))
    assert found == [("aws", "us-east-1"), ("aws", "us-west-2"), ("gcp", "us-central1")]


def test_without_nodes_there_is_no_place(each_store: Store) -> None:
    assert places_since(each_store, START) == ()
