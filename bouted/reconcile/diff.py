"""(plan, fleet) -> what differs. Pure."""

from bouted.planner.planned import PlannedNode
from bouted.reconcile.actions import ChangeSet
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.states import NodeStatus, ReplicaStatus

_KEEPABLE = frozenset({NodeStatus.PLANNED, NodeStatus.LAUNCHING, NodeStatus.UP})


def diff(wanted: tuple[PlannedNode, ...], fleet: FleetState) -> ChangeSet:
    """How `fleet` differs from `wanted`.

    A live node matches a wanted one of the same slot, else one of the same offer and template; each
    is used once, so equal nodes are kept whatever their ordinals. Nodes that are stopping match nothing.
    """
    free = [node for node in fleet.nodes if node.status in _KEEPABLE]
    keep: list[Node] = []
    unmatched: list[PlannedNode] = []
    for planned in wanted:
        match = next((node for node in free if node.slot == planned.slot), None)
        if match is None:
            unmatched.append(planned)
        else:
            free.remove(match)
            keep.append(match)
    launch: list[PlannedNode] = []
    for planned in unmatched:
        match = next((node for node in free if _equal(node, planned)), None)
        if match is None:
            launch.append(planned)
        else:
            free.remove(match)
            keep.append(match)
    return ChangeSet(
        keep=tuple(sorted(keep, key=lambda node: node.name)),
        launch=tuple(launch),
        surplus=tuple(sorted(free, key=lambda node: node.name)),
        start=_missing_replicas(keep, fleet),
        ready=tuple(
            replica
            for replica in fleet.replicas
            if replica.status is ReplicaStatus.READY and any(n.name == replica.node for n in keep)
        ),
    )


def _equal(node: Node, planned: PlannedNode) -> bool:
    return node.offer.id == planned.offer.id and node.template.id == planned.template.id


def _missing_replicas(keep: list[Node], fleet: FleetState) -> tuple[tuple[Node, int], ...]:
    """Places of nodes that are up where no replica lives, or only an intent."""
    missing: list[tuple[Node, int]] = []
    for node in keep:
        if node.status is not NodeStatus.UP:
            continue
        started = {
            replica.position
            for replica in fleet.replicas_on(node.name)
            if replica.live and replica.status is not ReplicaStatus.PLANNED
        }
        missing += [(node, at) for at in range(len(node.template.replicas)) if at not in started]
    return tuple(sorted(missing, key=lambda pair: (pair[0].name, pair[1])))
