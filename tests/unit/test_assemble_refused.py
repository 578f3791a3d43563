"""Planning is not held to what was refused: neither as an offer nor as part of the plan in force."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bouted.planner.assemble import incumbent_of, without_refused
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.states import NodeStatus, Reason
from bouted.testing.fleet import START, an_offer, planned
from bouted.testing.store import a_node, a_plan, fresh_store

OFFER = an_offer()
UP = (NodeStatus.UP, Reason.OBSERVED, 0.0)
REFUSED = (NodeStatus.FAILED, Reason.NO_CAPACITY, 60.0)
OVER_QUOTA = (NodeStatus.FAILED, Reason.QUOTA, 60.0)
BROKEN = (NodeStatus.FAILED, Reason.ERROR, 60.0)
ASKED_BEFORE, ASKED_SINCE = ((NodeStatus.LAUNCHING, Reason.PLAN, at_s) for at_s in (30.0, 90.0))

CASES = (
    ("nothing refused", (UP,), 8, 3),
    ("refused, and none is there", (REFUSED,), 0, 0),
    ("over quota, and none is there", (OVER_QUOTA,), 0, 0),
    ("refused, and one is there", (UP, REFUSED), 1, 1),
    ("asked for before the refusal, it may still come", (ASKED_BEFORE, REFUSED), 1, 1),
    ("asked for since, it may be refused as well", (REFUSED, ASKED_SINCE), 0, 0),
    ("a launch that broke says nothing about stock", (BROKEN,), 8, 3),
)


def fleet(*nodes: tuple[NodeStatus, Reason, float]) -> FleetState:
    rows = tuple(_node(f"n{number}", *node) for number, node in enumerate(nodes))
    return FleetState(nodes=rows, replicas=(), incarnations=())


def _node(name: str, status: NodeStatus, reason: Reason, at_s: float) -> Node:
    since = START + timedelta(seconds=at_s)
    return replace(a_node(name), offer=OFFER, status=status, reason=reason, since=since)


@pytest.mark.parametrize(("nodes", "obtainable", "kept"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_no_more_is_planned_or_kept_than_is_there(
    nodes: tuple[tuple[NodeStatus, Reason, float], ...], obtainable: int, kept: int, tmp_path: Path
) -> None:
    store = fresh_store(tmp_path)
    plan = a_plan(store, "p", nodes=planned(OFFER, 3, small=1))
    store.close()
    assert without_refused((OFFER,), fleet(*nodes))[0].obtainable == obtainable
    incumbent = incumbent_of(plan, (OFFER,), fleet(*nodes))
    assert incumbent is not None
    assert len(incumbent.nodes) == kept
