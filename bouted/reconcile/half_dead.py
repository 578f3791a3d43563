"""Replicas whose rows fit no node, or each other: they need attention. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bouted.reconcile.fleet import Node, Replica
from bouted.reconcile.states import Reason, ReplicaStatus

_SETTLED = frozenset({ReplicaStatus.DRAINING, ReplicaStatus.NEEDS_ATTENTION})


def with_half_dead(
    replicas: Iterable[Replica], nodes: Mapping[str, Node], unreadable: frozenset[str]
) -> tuple[Replica, ...]:
    """The replicas by name, those that cannot be as their rows say marked as needing attention.

    `unreadable` are nodes that have a row, though nobody knows what it says: what stands on them goes on.
    """
    heirs: dict[tuple[str, int], Replica] = {}
    ordered = sorted(replicas, key=lambda replica: (replica.incarnation, replica.name))
    for replica in ordered:
        if _counts(replica):
            heirs[replica.node, replica.position] = replica
    marked = (
        _marked(replica, wrong)
        if _counts(replica) and (wrong := _wrong(replica, nodes, unreadable, heirs))
        else replica
        for replica in ordered
    )
    return tuple(sorted(marked, key=lambda replica: replica.name))


def _counts(replica: Replica) -> bool:
    return replica.live and replica.status not in _SETTLED


def _wrong(
    replica: Replica,
    nodes: Mapping[str, Node],
    unreadable: frozenset[str],
    heirs: Mapping[tuple[str, int], Replica],
) -> str:
    """What is wrong with a replica, "" for nothing."""
    heir = heirs[replica.node, replica.position]
    if heir is not replica:
        return f"{heir.name} has the same place {replica.position}"
    if replica.node in unreadable:
        return ""
    node = nodes.get(replica.node)
    if node is None:
        return f"its node {replica.node} has no row, or ended long ago"
    places = len(node.template.replicas)
    if node.live and not 0 <= replica.position < places:
        return f"it has place {replica.position} of {places} on its node"
    return ""


def _marked(replica: Replica, wrong: str) -> Replica:
    told = f"was {replica.status}, but {wrong}; set it right, or: bouted reap {replica.name}"
    return replace(
        replica,
        status=ReplicaStatus.NEEDS_ATTENTION,
        reason=Reason.UNEXPECTED,
        note=f"{told}: {replica.note}" if replica.note else told,
    )
