"""Which engine is next to give way to another version of itself. Pure.

One at a time, and only while nothing else is to be done: where a version does not start, one replica suffers
and the rest of the fleet stays as it is. If the model's others are enough to go on serving, the new engine
takes the place of the old one; if they are too few, another node comes first and the old one goes after it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from bouted.perf.shapes import Engine
from bouted.planner.planned import PlannedNode
from bouted.reconcile.actions import ChangeSet, Place
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.states import NodeStatus, ReplicaStatus


def outdated(fleet: FleetState, versions: Mapping[Engine, str]) -> frozenset[str]:
    """The live replicas that are known to run another version than a start would bring."""
    if not versions:
        return frozenset()
    return frozenset(r.name for r in fleet.replicas if r.live and _differs(r, versions))


def nodes_behind(fleet: FleetState, versions: Mapping[Engine, str]) -> frozenset[str]:
    """The nodes with a place whose latest replica, alive or not, ran another version: a node that is on its
    way out must not be taken for as good as any when its engines have ended."""
    if not versions:
        return frozenset()
    latest: dict[tuple[str, int], Replica] = {}
    for replica in fleet.replicas:
        known = latest.setdefault((replica.node, replica.position), replica)
        if known.incarnation < replica.incarnation:
            latest[replica.node, replica.position] = replica
    return frozenset(replica.node for replica in latest.values() if _differs(replica, versions))


def _differs(replica: Replica, versions: Mapping[Engine, str]) -> bool:
    return replica.version not in ("", versions.get(replica.shape.engine, replica.version))


def with_upgrade(
    changes: ChangeSet,
    wanted: tuple[PlannedNode, ...],
    fleet: FleetState,
    least: Mapping[str, int],
) -> ChangeSet:
    """The same, with the next of those that are behind to be replaced. `least`: how many of each model must
    go on serving; one does in any case."""
    if not changes.behind or not changes.empty or not _settled(changes, fleet):
        return changes
    serving = Counter(replica.shape.model for replica in changes.ready)
    nodes = {node.name: node for node in changes.keep}
    for replica in sorted(changes.ready, key=lambda replica: replica.name):
        if replica.name in changes.behind:
            model = replica.shape.model
            spare = serving[model] > max(1, least.get(model, 0))
            node = nodes[replica.node]
            return _in_place(changes, replica, node) if spare else _beside(changes, node, wanted)
    return changes


def _settled(changes: ChangeSet, fleet: FleetState) -> bool:
    """All that is kept is up and serves."""
    kept = {node.name for node in changes.keep}
    engines = (r.status for r in fleet.replicas if r.node in kept and r.live)
    return all(node.status is NodeStatus.UP for node in changes.keep) and all(
        status is ReplicaStatus.READY for status in engines
    )


def _in_place(changes: ChangeSet, replica: Replica, node: Node) -> ChangeSet:
    place = Place(node=node, position=replica.position, shape=replica.shape)
    ready = tuple(other for other in changes.ready if other.name != replica.name)
    return replace(changes, extra=(replica,), start=(place,), ready=ready)


def _beside(changes: ChangeSet, node: Node, wanted: tuple[PlannedNode, ...]) -> ChangeSet:
    """What the node is for is wanted once more, and the node itself no longer."""
    for planned in wanted:
        if planned.offer.id == node.offer.id and planned.template == node.template:
            return replace(
                changes,
                keep=tuple(other for other in changes.keep if other.name != node.name),
                launch=(planned,),
                surplus=(node,),
                ready=tuple(replica for replica in changes.ready if replica.node != node.name),
            )
    return changes
