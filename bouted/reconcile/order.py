"""(changes, fleet, limits, now) -> actions, in an order that is safe to abandon after any one. Pure.

New before old: a surplus node drains only once every model on it is covered by the plan's own
replicas, or when the room they need (dollars, stock) is what the surplus itself holds. A node stops only
after its last replica; a replica stops only after it has drained.
"""

from collections import Counter
from datetime import datetime
from decimal import Decimal

from bouted.planner.planned import PlannedNode
from bouted.reconcile.actions import (
    Action,
    ChangeSet,
    DrainReplica,
    LaunchNode,
    Limits,
    StartReplica,
    StopNode,
    StopReplica,
)
from bouted.reconcile.backoff import place_waits, slot_waits
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.names import node_name, replica_name
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus

_UNROUTED = frozenset({ReplicaStatus.PLANNED, ReplicaStatus.STARTING, ReplicaStatus.WARMING})


def order(
    changes: ChangeSet,
    fleet: FleetState,
    limits: Limits,
    now: datetime,
    *,
    deployment: str,
    launcher: str,
    plan_id: str,
    idle: frozenset[str] = frozenset(),
    unseen: frozenset[str] = frozenset(),
) -> tuple[Action, ...]:
    """The next actions.

    `idle` names draining replicas with no running request. `unseen` names nodes that are launching but
    that the launcher does not list: their launch is asked for again, because the process may have died
    between the row and the call. Reading the fleet again and calling this again continues where any
    prefix stopped.
    """
    launches, blocked = _launches(changes, fleet, limits, now, deployment, launcher, plan_id)
    return (
        *_stops(changes, fleet, limits, now, idle),
        *(LaunchNode(node=node) for node in changes.keep if node.name in unseen),
        *launches,
        *_starts(changes, fleet, now),
        *_drains(changes, fleet, blocked),
    )


def _launches(
    changes: ChangeSet,
    fleet: FleetState,
    limits: Limits,
    now: datetime,
    deployment: str,
    launcher: str,
    plan_id: str,
) -> tuple[list[Action], bool]:
    """Launches that fit the cap, the stock and the limit on launches; True if any wanted one did not."""
    actions: list[Action] = []
    room = limits.cap_usd_per_hour + limits.surge_usd_per_hour - fleet.committed_usd_per_hour()
    in_launch = sum(node.status is NodeStatus.LAUNCHING for node in fleet.nodes)
    held = Counter[str]()
    for running in fleet.nodes:
        held[running.offer.id] += running.template.instances if running.live else 0
    blocked = False
    for node in _intents(changes, fleet, now, deployment, launcher, plan_id):
        fresh = not any(known.name == node.name for known in fleet.nodes)
        more = node.template.instances if fresh else 0
        if node.usd_per_hour > room or held[node.offer.id] + more > node.offer.obtainable:
            blocked = True
            continue
        if in_launch >= limits.max_launches:
            continue
        in_launch += 1
        room -= node.usd_per_hour
        held[node.offer.id] += more
        actions.append(LaunchNode(node=node))
    return actions, blocked


def _intents(
    changes: ChangeSet,
    fleet: FleetState,
    now: datetime,
    deployment: str,
    launcher: str,
    plan_id: str,
) -> list[Node]:
    """Nodes to ask for: intents that were written but not carried out, then new ones."""
    written = [node for node in changes.keep if node.status is NodeStatus.PLANNED]
    used = dict(fleet.incarnations)
    return written + [
        _intent(planned, used.get(planned.slot, 0) + 1, now, deployment, launcher, plan_id)
        for planned in changes.launch
        if not slot_waits(fleet, planned.slot, now)
    ]


def _intent(
    planned: PlannedNode, incarnation: int, now: datetime, deployment: str, launcher: str, plan_id: str
) -> Node:
    return Node(
        name=node_name(deployment, planned.slot, incarnation),
        slot=planned.slot,
        incarnation=incarnation,
        plan_id=plan_id,
        offer=planned.offer,
        template=planned.template,
        launcher=launcher,
        status=NodeStatus.PLANNED,
        reason=Reason.PLAN,
        since=now,
        launched_at=None,
    )


def _starts(changes: ChangeSet, fleet: FleetState, now: datetime) -> list[Action]:
    """Replicas to start: the intent already written for a place, else its next incarnation."""
    return [
        StartReplica(replica=_replica_for(node, at, fleet, now))
        for node, at in changes.start
        if not place_waits((r for r in fleet.replicas_on(node.name) if r.position == at), now)
    ]


def _replica_for(node: Node, position: int, fleet: FleetState, now: datetime) -> Replica:
    here = [replica for replica in fleet.replicas_on(node.name) if replica.position == position]
    intent = next((r for r in here if r.status is ReplicaStatus.PLANNED), None)
    if intent is not None:
        return intent
    incarnation = max((replica.incarnation for replica in here), default=0) + 1
    return Replica(
        name=replica_name(node.name, position, incarnation),
        node=node.name,
        position=position,
        incarnation=incarnation,
        shape=node.template.replicas[position],
        status=ReplicaStatus.PLANNED,
        reason=Reason.PLAN if incarnation == 1 else Reason.REPLACED,
        since=now,
    )


def _drains(changes: ChangeSet, fleet: FleetState, blocked: bool) -> list[Action]:
    """Surplus replicas that may leave the route table now."""
    wanted: Counter[str] = Counter()
    for node in changes.keep:
        wanted.update(shape.model for shape in node.template.replicas)
    for planned in changes.launch:
        wanted.update(shape.model for shape in planned.template.replicas)
    ready = Counter(replica.shape.model for replica in changes.ready)
    serving = Counter(r.shape.model for r in fleet.replicas if r.status is ReplicaStatus.READY)
    actions: list[Action] = []
    for node in changes.surplus:
        live = [replica for replica in fleet.replicas_on(node.name) if replica.live]
        here = Counter(r.shape.model for r in live if r.status is ReplicaStatus.READY)
        covered = all(ready[model] >= wanted[model] for model in here)
        others_serve = all(serving[model] > count for model, count in here.items())
        if covered or (blocked and others_serve) or _must_make_way(node, changes, blocked):
            actions += [DrainReplica(replica=r) for r in live if r.status is ReplicaStatus.READY]
            serving -= here
    return actions


def _must_make_way(node: Node, changes: ChangeSet, blocked: bool) -> bool:
    """An owned machine that the plan cuts differently can only be re-cut after it is emptied."""
    return blocked and any(
        planned.offer.id == node.offer.id and planned.offer.obtainable <= 1 for planned in changes.launch
    )


def _stops(
    changes: ChangeSet, fleet: FleetState, limits: Limits, now: datetime, idle: frozenset[str]
) -> list[Action]:
    """Drained replicas, surplus replicas that never served, then nodes with nothing left on them."""
    surplus = {node.name for node in changes.surplus}
    actions: list[Action] = []
    for replica in fleet.replicas:
        drained = replica.status is ReplicaStatus.DRAINING and (
            replica.name in idle or (now - replica.since).total_seconds() >= limits.drain_s
        )
        unused = replica.node in surplus and replica.status in _UNROUTED
        if drained or unused:
            actions.append(StopReplica(replica=replica))
    for node in fleet.nodes:
        empty = not any(replica.live for replica in fleet.replicas_on(node.name))
        ending = node.status is NodeStatus.STOPPING
        if ending or (node.name in surplus and empty):
            actions.append(StopNode(node=node))
    return actions


def committed_after(actions: tuple[Action, ...], fleet: FleetState) -> Decimal:
    """Committed $/h once every launch in `actions` was made."""
    launched = (a.node.usd_per_hour for a in actions if isinstance(a, LaunchNode))
    return fleet.committed_usd_per_hour() + sum(launched, Decimal(0))
