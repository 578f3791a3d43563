"""Planning is not held to what was refused: neither as an offer nor as part of the plan in force."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bouted.market.offers import Offer
from bouted.planner.assemble import incumbent_of, without_refused
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.states import NodeStatus, Reason
from bouted.testing.fleet import START, an_offer, planned
from bouted.testing.store import a_node, a_plan, fresh_store

OFFER = an_offer()
UP = (NodeStatus.UP, Reason.OBSERVED, 0.0)
REFUSED = (NodeStatus.FAILED, Reason.NO_CAPACITY, 60.0)
OVER_QUOTA = (NodeStatus.FAILED, Reason.QUOTA, 60.0)
BROKEN, BROKEN_AGAIN = ((NodeStatus.FAILED, Reason.ERROR, at_s) for at_s in (60.0, 80.0))
UP_SINCE = (NodeStatus.UP, Reason.OBSERVED, 90.0)
ASKED_BEFORE, ASKED_SINCE = ((NodeStatus.LAUNCHING, Reason.PLAN, at_s) for at_s in (30.0, 90.0))

CASES = (
    ("nothing refused", (UP,), 8, 3),
    ("refused, and none is there", (REFUSED,), 0, 0),
    ("over quota, and none is there", (OVER_QUOTA,), 0, 0),
    ("refused, and one is there", (UP, REFUSED), 1, 1),
    ("asked for before the refusal, it may still come", (ASKED_BEFORE, REFUSED), 1, 1),
    ("asked for since, it may be refused as well", (REFUSED, ASKED_SINCE), 0, 0),
    ("a launch that broke may have been an accident", (BROKEN,), 8, 3),
    ("several that broke at once, too", (BROKEN, BROKEN), 8, 3),
    ("launches break again and again", (BROKEN, BROKEN_AGAIN), 0, 0),
    ("they do, and one is there from before", (UP, BROKEN, BROKEN_AGAIN), 1, 1),
    ("they did, and one came up since", (BROKEN, BROKEN_AGAIN, UP_SINCE), 8, 3),
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


def broken(*offers: Offer) -> FleetState:
    """Two launches of each failed, a minute apart; the bill of the last one had begun."""
    nodes = [
        replace(_node(f"n{number}{at_s}", NodeStatus.FAILED, Reason.ERROR, at_s), offer=offer)
        for number, offer in enumerate(offers)
        for at_s in (60.0, 120.0)
    ]
    nodes[-1] = replace(nodes[-1], launched_at=START + timedelta(seconds=90))
    return FleetState(nodes=tuple(nodes), replicas=(), incarnations=())


def left(offers: tuple[Offer, ...], fleet: FleetState, *, anyway: bool = False) -> set[str]:
    return {offer.id for offer in without_refused(offers, fleet, anyway=anyway) if offer.obtainable}


AWS = tuple(an_offer("aws", region=f"r{number}") for number in range(4))
GCP = an_offer("gcp")


def test_planning_goes_elsewhere_and_leaves_a_provider_of_which_nothing_comes_up() -> None:
    offers = (*AWS, GCP)
    assert left(offers, broken(*AWS[:2])) == {AWS[2].id, AWS[3].id, GCP.id}
    assert left(offers, broken(*AWS[:3])) == {GCP.id}, "three regions refuse: it is the account"
    up = replace(_node("up", *UP), offer=AWS[3])
    fleet = replace(broken(*AWS[:3]), nodes=(*broken(*AWS[:3]).nodes, up))
    assert left(offers, fleet) == {AWS[3].id, GCP.id}, "the account works: it is those regions"


def test_what_breaks_everywhere_can_be_planned_with_all_the_same_but_not_what_is_sold_out(
    tmp_path: Path,
) -> None:
    fleet = broken(*AWS, GCP)
    fleet = replace(fleet, nodes=(*fleet.nodes, replace(_node("out", *REFUSED), offer=GCP)))
    assert left((*AWS, GCP), fleet) == set()
    assert left((*AWS, GCP), fleet, anyway=True) == {offer.id for offer in AWS}
    store = fresh_store(tmp_path)
    plan = a_plan(store, "p", nodes=planned(AWS[0], 2, small=1))
    store.close()
    kept = [incumbent_of(plan, AWS, fleet, anyway=anyway) for anyway in (False, True)]
    assert [len(one.nodes) for one in kept if one is not None] == [0, 2]
