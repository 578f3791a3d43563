"""What is to be ended because nothing needs it any more: engines first, then the nodes they were on. Pure."""

from bouted.reconcile.actions import Action, StopNode, StopReplica
from bouted.reconcile.fleet import Node, Replica
from bouted.reconcile.guards import most_at_once
from bouted.reconcile.scene import Scene
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus

_UNROUTED = frozenset({ReplicaStatus.PLANNED, ReplicaStatus.STARTING, ReplicaStatus.WARMING})


def stops(scene: Scene, leaving: frozenset[str], in_the_way: tuple[Replica, ...]) -> list[Action]:
    """Drained replicas, those that never served on `leaving` nodes or `in_the_way` of a new cut, then nodes
    with nothing left on them."""
    extra = {replica.name for replica in (*scene.changes.extra, *in_the_way)}
    actions: list[Action] = []
    for replica in scene.own:
        unused = (replica.node in leaving or replica.name in extra) and replica.status in _UNROUTED
        if unused or _drained(scene, replica) or _stuck(scene, replica):
            actions.append(StopReplica(replica=replica))
    ours = [node for node in scene.fleet.nodes if node.launcher == scene.standing.launcher]
    ending = [node for node in ours if node.status is NodeStatus.STOPPING or _overdue(scene, node)]
    fresh = [
        node
        for node in ours
        if node.name in leaving and node.status is not NodeStatus.STOPPING and _empty(scene, node)
    ]
    room = len(fresh)
    if not scene.standing.down:
        live = sum(node.live for node in ours)
        stopping = sum(node.status is NodeStatus.STOPPING for node in ours)
        room = max(0, most_at_once(live, scene.limits) - stopping)
    return actions + [StopNode(node=node, reason=_why(node)) for node in (*ending, *fresh[:room])]


def _why(node: Node) -> Reason:
    return Reason.SUPERSEDED if node.leaves_at is None else Reason.NOTICED


def _drained(scene: Scene, replica: Replica) -> bool:
    age_s = (scene.now - replica.since).total_seconds()
    done = replica.name in scene.standing.idle or age_s >= scene.limits.drain_s
    return replica.status is ReplicaStatus.DRAINING and done


def _stuck(scene: Scene, replica: Replica) -> bool:
    """Its end was asked for and did not come: it is asked for again. So is everything when all is to stop."""
    if replica.status is not ReplicaStatus.NEEDS_ATTENTION:
        return False
    return replica.reason is Reason.TIMEOUT or scene.standing.down


def _overdue(scene: Scene, node: Node) -> bool:
    """The same for a node."""
    if node.status is not NodeStatus.NEEDS_ATTENTION:
        return False
    asked = node.reason in (Reason.TIMEOUT, Reason.NEVER_UP)
    return (asked or scene.standing.down) and _empty(scene, node)


def _empty(scene: Scene, node: Node) -> bool:
    """No replica lives on it, so far as can be read. One that did not end in its time does not hold the node
    any more: ending the node ends it, too."""
    if any(row.node == node.name for row in scene.fleet.unreadable):
        return False
    return not any(replica.live and not _hopeless(scene, replica) for replica in scene.on.get(node.name, ()))


def _hopeless(scene: Scene, replica: Replica) -> bool:
    """It had as long to end as that may take: before it became a timeout, or since all is to stop."""
    age_s = (scene.now - replica.since).total_seconds()
    late = replica.reason is Reason.TIMEOUT or age_s >= scene.limits.stop_timeout_s
    return _stuck(scene, replica) and late
