"""The provider's list against the rows, both ways: what is ended, what is stopped again, what is closed."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from bouted.reconcile.adopted import ADOPTED
from bouted.reconcile.fleet import Node
from bouted.reconcile.launcher import Refused, SeenNode, Why
from bouted.reconcile.names import node_name, parse_node_name, replica_name
from bouted.reconcile.orphans import Known, orphan_row
from bouted.reconcile.states import NodeStatus, Reason
from bouted.reconcile.sweep import Findings, Rows, Rules, sweep
from bouted.testing.fleet import START, an_offer
from bouted.testing.store import a_node

NOW = START + timedelta(hours=1)
NAME = node_name("t", "slot", 1)
OTHER = node_name("t", "slot", 2)


def listing(
    name: str = NAME, *, started_at: datetime | None = START, ended_at: datetime | None = None
) -> SeenNode:
    """A node that runs since an hour ago."""
    return SeenNode(name=name, up=ended_at is None, started_at=started_at, ended_at=ended_at)


def row(status: NodeStatus, *, since: datetime = START, name: str = NAME, launcher: str = "memory") -> Node:
    return replace(a_node(name), status=status, since=since, launcher=launcher)


def swept(
    *listed: SeenNode,
    rows: tuple[Node, ...] = (),
    coming: frozenset[str] = frozenset(),
    unreadable: frozenset[str] = frozenset(),
    gone: frozenset[str] = frozenset(),
    answering: frozenset[str] = frozenset(),
    first_seen: dict[str, datetime] | None = None,
    most: int | None = 2,
) -> Findings:
    return sweep(
        listed,
        Rows(nodes=rows, unreadable=unreadable, coming=coming),
        Rules(deployment="t", grace_s=600.0, most=most),
        NOW,
        gone=gone,
        answering=answering,
        first_seen=first_seen,
    )


def names(found: tuple[SeenNode, ...] | tuple[Node, ...]) -> list[str]:
    return [node.name for node in found]


def test_what_runs_without_a_row_is_ended_once_it_is_old_enough() -> None:
    assert names(swept(listing()).orphans) == [NAME]
    young = swept(listing(started_at=NOW - timedelta(seconds=599)))
    assert (names(young.orphans), names(young.young)) == ([], [NAME])


def test_without_the_providers_word_its_age_counts_from_when_it_was_first_listed() -> None:
    nameless = listing(started_at=None)
    assert names(swept(nameless).young) == [NAME]
    assert names(swept(nameless, first_seen={NAME: START}).orphans) == [NAME]


def test_what_the_plan_would_launch_next_is_taken_over() -> None:
    found = swept(listing(), coming=frozenset({NAME}))
    assert (names(found.orphans), names(found.taken)) == ([], [NAME])


def test_an_orphan_that_has_ended_is_nobodys_business() -> None:
    assert swept(listing(ended_at=NOW)) == Findings()


@pytest.mark.parametrize(
    "name",
    [
        "bt-t-web-0123abcd-1",  # of deployment t-web
        "bt-other-0123abcd-1",
        "my-database",
    ],
)
def test_names_that_this_deployment_does_not_give_are_left_alone(name: str) -> None:
    assert swept(listing(name)) == Findings()


def test_whatever_carries_the_mark_is_ours_however_it_goes_on() -> None:
    assert names(swept(listing("bt-t-by-hand")).orphans) == ["bt-t-by-hand"]
    row = orphan_row(listing("bt-t-by-hand"), known(), NOW)
    assert (row.name, row.slot, row.incarnation) == ("bt-t-by-hand", "orphan-bt-t-by-hand", 1)


def test_many_orphans_at_once_are_left_for_a_person() -> None:
    found = swept(*(listing(node_name("t", "slot", n)) for n in range(1, 4)))
    assert (len(found.orphans), len(found.held)) == (0, 3)
    asked = swept(*(listing(node_name("t", "slot", n)) for n in range(1, 4)), most=None)
    assert (len(asked.orphans), len(asked.held)) == (3, 0)


@pytest.mark.parametrize("status", [NodeStatus.GONE, NodeStatus.FAILED])
def test_what_runs_although_its_row_has_ended_is_stopped_again_however_old(status: NodeStatus) -> None:
    old = row(status, since=START - timedelta(days=300))
    assert names(swept(listing(), rows=(old,)).strays) == [NAME]


def test_what_was_ended_just_now_may_be_listed_for_a_moment() -> None:
    assert swept(listing(), rows=(row(NodeStatus.GONE, since=NOW),)).strays == ()


LIVE = [
    (NodeStatus.UP, NodeStatus.FAILED, Reason.LOST),
    (NodeStatus.STOPPING, NodeStatus.GONE, Reason.PLAN),
    (NodeStatus.NEEDS_ATTENTION, NodeStatus.FAILED, Reason.LOST),
]


@pytest.mark.parametrize(("status", "after", "reason"), LIVE)
def test_a_row_is_closed_when_the_list_says_ended_or_surely_lacks_it(
    status: NodeStatus, after: NodeStatus, reason: Reason
) -> None:
    rows = (row(status),)
    (said,) = swept(listing(ended_at=NOW), rows=rows).closed
    assert (said.status, said.reason, said.ended_at) == (after, reason, NOW)
    (lacked,) = swept(rows=rows, gone=frozenset({NAME})).closed
    assert (lacked.status, lacked.reason, lacked.ended_at) == (after, reason, None)
    assert swept(rows=rows).closed == ()


def test_an_engine_that_answers_keeps_its_node() -> None:
    rows = (row(NodeStatus.UP),)
    assert swept(rows=rows, gone=frozenset({NAME}), answering=frozenset({NAME})).closed == ()


def test_of_two_listings_of_one_name_the_one_that_runs_counts() -> None:
    both = (listing(), listing(ended_at=START))
    assert swept(*both, rows=(row(NodeStatus.UP),)).closed == ()


def test_adopted_nodes_and_rows_that_cannot_be_read_are_left_alone() -> None:
    assert swept(rows=(row(NodeStatus.UP, launcher=ADOPTED),), gone=frozenset({NAME})).closed == ()
    assert swept(listing(), unreadable=frozenset({NAME})) == Findings()


def test_of_machines_that_had_one_name_the_times_of_each_are_told() -> None:
    first, second = listing(ended_at=NOW), listing(started_at=NOW)
    refused = Refused(why=Why.NO_CAPACITY, detail="none left")
    never = replace(listing(ended_at=NOW), started_at=None, refused=refused)
    for listed in permutations((first, second, never)):
        times = swept(*listed, rows=(row(NodeStatus.FAILED),)).times
        assert {(t.started_at, t.ended_at) for t in times} == {(START, NOW), (NOW, None)}


def test_the_providers_times_are_told_for_rows_of_any_age() -> None:
    (times,) = swept(listing(ended_at=NOW), rows=(row(NodeStatus.GONE),)).times
    assert (times.started_at, times.ended_at) == (START, NOW)


def test_a_nodes_name_is_read_as_it_was_given() -> None:
    assert parse_node_name("t", OTHER) == (OTHER.split("-")[2], 2)
    assert parse_node_name("t-web", NAME) is None
    assert parse_node_name("t", replica_name(NAME, 0, 1)) is None


L4, A100 = an_offer(usd_per_hour="0.80"), an_offer(gpu="A100-80GB", gpu_count=4, usd_per_hour="8.00")


def known() -> Known:
    return Known(
        deployment="t",
        launcher="memory",
        slots=("a", "slot"),
        offers={offer.id: offer for offer in (L4, A100)},
    )


def orphan(offer_id: str) -> Node:
    return orphan_row(replace(listing(), offer_id=offer_id), known(), NOW)


def test_an_orphans_row_fills_the_slot_of_its_name_and_asks_for_its_end() -> None:
    found = orphan(A100.id)
    assert (found.slot, found.incarnation) == ("slot", 1)
    assert (found.status, found.reason, found.launched_at) == (NodeStatus.STOPPING, Reason.ORPHAN, START)
    assert found.offer == A100
    assert found.template.replicas == ()


@pytest.mark.parametrize(
    ("offer_id", "usd_per_hour", "told"),
    [
        (L4.id, "0.80", ""),
        ("aws/eu-north-1/1xL4/on_demand", "0.80", "the dearest of its kind"),
        ("aws/eu-north-1/9xB900/on_demand", "8.00", "the dearest there is"),
        ("", "8.00", "the dearest there is"),
    ],
)
def test_an_orphans_price_is_known_or_estimated_and_said_to_be(
    offer_id: str, usd_per_hour: str, told: str
) -> None:
    found = orphan(offer_id)
    assert found.offer.usd_per_hour == Decimal(usd_per_hour)
    assert told in found.note
    assert not offer_id or found.offer.id == offer_id


def test_where_no_offer_is_known_at_all_nothing_is_counted_and_that_is_said() -> None:
    found = orphan_row(listing(), replace(known(), offers={}), NOW)
    assert found.offer.usd_per_hour == 0
    assert "nobody knows its price" in found.note
