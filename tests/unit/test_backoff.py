"""Which launches of an offer count as failed since one last came up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bouted.reconcile.backoff import came_up, failed_launches
from bouted.reconcile.fleet import Node
from bouted.reconcile.states import NodeStatus, Reason
from bouted.testing.fleet import START
from bouted.testing.store import a_node

REASONS = frozenset({Reason.TIMEOUT, Reason.NEVER_UP, Reason.ERROR})


def launch(name: str, status: NodeStatus, reason: Reason, at_s: float, *, billed_s: float | None) -> Node:
    launched_at = None if billed_s is None else START + timedelta(seconds=billed_s)
    since = START + timedelta(seconds=at_s)
    return replace(a_node(name), status=status, reason=reason, since=since, launched_at=launched_at)


@pytest.mark.parametrize("status", [NodeStatus.STOPPING, NodeStatus.NEEDS_ATTENTION, NodeStatus.FAILED])
def test_a_launch_that_was_given_up_never_came_up_although_its_bill_began(status: NodeStatus) -> None:
    first = launch("a", NodeStatus.FAILED, Reason.ERROR, 60.0, billed_s=None)
    given_up = launch("b", status, Reason.NEVER_UP, 600.0, billed_s=90.0)
    assert came_up(given_up) is None
    assert failed_launches((first, given_up), REASONS) == [first.since, given_up.since]


def test_one_that_came_up_since_makes_the_count_start_anew() -> None:
    first = launch("a", NodeStatus.FAILED, Reason.ERROR, 60.0, billed_s=None)
    up = launch("b", NodeStatus.UP, Reason.OBSERVED, 120.0, billed_s=90.0)
    assert failed_launches((first, up), REASONS) == []
