"""Whether a deployment on this machine is as its rows want it: rows, launcher and processes agree."""

from collections import Counter
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
    plan, control = desired_plan(store), load_control(store)
    wanted = () if plan is None or control.down_requested else plan.design.nodes
    fleet = load_fleet(store, now)
    live = [node for node in fleet.nodes if node.live]
    return (
        Counter((n.offer.id, n.template.id) for n in live)
        == Counter((n.offer.id, n.template.id) for n in wanted)
        and all(node.status is NodeStatus.UP for node in live)
        and _serves(fleet)
        and {node.name for node in live} == {node.name for node in seen.nodes if node.ended_at is None}
        and {r.name for r in fleet.replicas if r.live} == {replica.name for replica in seen.replicas}
    )


def _serves(fleet: FleetState) -> bool:
    """Every place of every live node has just one live replica, and it is ready."""
    live = [replica for replica in fleet.replicas if replica.live]
    places = [(n.name, at) for n in fleet.nodes if n.live for at in range(len(n.template.replicas))]
    return sorted((r.node, r.position) for r in live) == sorted(places) and all(
        replica.status is ReplicaStatus.READY for replica in live
    )
