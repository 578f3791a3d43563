"""Whether a deployment on this machine is as its rows want it: rows, launcher and processes agree."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from bouted.reconcile.fleet import FleetState
from bouted.reconcile.launcher import Seen
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.control import load_control
from bouted.store.fleet import load_fleet
from bouted.store.open import Store
from bouted.store.plans import desired_plan


def is_settled(store: Store, seen: Seen, now: datetime) -> bool:
    """The plan in force (nothing, once `down` was asked for) is up, ready, and all there is."""
    return not any(unsettled(store, seen, now))


def unsettled(store: Store, seen: Seen, now: datetime) -> Iterator[str]:
    """What is not so yet, in plain sentences."""
    plan, control = desired_plan(store), load_control(store)
    wanted = () if plan is None or control.down_requested else plan.design.nodes
    fleet = load_fleet(store, now)
    live = [node for node in fleet.nodes if node.live]
    if Counter((n.offer.id, n.template.id) for n in live) != Counter(
        (n.offer.id, n.template.id) for n in wanted
    ):
        yield f"{[(n.name, n.offer.id) for n in live]} live, {[n.offer.id for n in wanted]} wanted"
    for node in live:
        if node.status is not NodeStatus.UP:
            yield f"node {node.name} is {node.status}"
    yield from _unserved(fleet)
    there = {node.name for node in seen.nodes if node.ended_at is None}
    if {node.name for node in live} != there:
        yield f"nodes {sorted(there)} are there"
    if {r.name for r in fleet.replicas if r.live} != {replica.name for replica in seen.replicas}:
        yield f"replicas {[replica.name for replica in seen.replicas]} are there"


def _unserved(fleet: FleetState) -> Iterator[str]:
    """Every place of every live node has just one live replica, and it is ready."""
    live = [replica for replica in fleet.replicas if replica.live]
    places = [(n.name, at) for n in fleet.nodes if n.live for at in range(len(n.template.replicas))]
    if sorted((r.node, r.position) for r in live) != sorted(places):
        yield f"places {places} are taken by {[(r.name, r.node, r.position) for r in live]}"
    for replica in live:
        if replica.status is not ReplicaStatus.READY:
            yield f"replica {replica.name} is {replica.status}"
