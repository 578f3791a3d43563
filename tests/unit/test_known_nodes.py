"""The nodes of now and of late, as a sweep asks for them."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text

from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.fleet import add_node, move_node
from bouted.store.known_nodes import known_since
from bouted.store.notices import note_instances
from bouted.store.open import Store
from bouted.testing.fleet import START, an_offer
from bouted.testing.store import a_node

DAY = timedelta(days=1)


def add(store: Store, name: str, provider: str, region: str, *, ended_days_ago: float | None = None) -> None:
    offer, since = an_offer(provider, region=region), START - 10 * DAY
    add_node(store, replace(a_node(name, slot=name), offer=offer, status=NodeStatus.UP, since=since))
    if ended_days_ago is not None:
        move_node(store, name, NodeStatus.FAILED, Reason.LOST, START - ended_days_ago * DAY)


def test_nodes_that_live_or_ended_lately_are_known_with_what_clouds_call_them(
    each_store: Store,
) -> None:
    add(each_store, "bt-t-1", "aws", "us-east-1")
    add(each_store, "bt-t-3", "aws", "us-west-2", ended_days_ago=3)
    add(each_store, "bt-t-5", "vast", "US", ended_days_ago=5)
    note_instances(each_store, {"bt-t-1": "i-1"})
    found = known_since(each_store, START - 4 * DAY)
    assert [(one.name, one.offer.region, one.instance_id) for one in found] == [
        ("bt-t-1", "us-east-1", "i-1"),
        ("bt-t-3", "us-west-2", ""),
    ]


def test_a_row_whose_offer_cannot_be_read_is_left_out(each_store: Store) -> None:
    add(each_store, "bt-t-1", "aws", "us-east-1")
    with each_store.writing() as session:
        session.execute(text("UPDATE nodes SET offer = '{}'"))
    assert known_since(each_store, START) == ()
