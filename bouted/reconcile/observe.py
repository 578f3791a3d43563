"""(rows, what the launcher and the engines say, what has been missing) -> status moves. Pure.

What a launcher says of an end is believed at once, with its times. What its list merely lacks is gone once
that is confirmed; an engine that answers stands for itself and its node, whatever the list lacks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bouted.reconcile.actions import Limits
from bouted.reconcile.adopted import is_adopted, with_adopted
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.launcher import Seen, SeenNode
from bouted.reconcile.observe_node import (
    NodeMove,
    NodeTimes,
    Presence,
    new_instances,
    node_move,
    presence,
    times_of,
)
from bouted.reconcile.observe_replica import (
    Health,
    ReplicaMove,
    Told,
    newly_told,
    node_ended,
    replica_move,
)
from bouted.reconcile.states import NodeStatus

__all__ = (
    "Health",
    "NodeMove",
    "NodeTimes",
    "Observation",
    "ReplicaMove",
    "Told",
    "awaited",
    "listed",
    "observe",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Moves to write, things that run although their row has ended (to be stopped again), names that run
    without a row, nodes that are launching without being seen, the provider's times of nodes, its ids of
    those whose rows lack them, and likewise what engines tell of themselves."""

    nodes: tuple[NodeMove, ...]
    replicas: tuple[ReplicaMove, ...]
    stray_nodes: tuple[Node, ...]
    stray_replicas: tuple[Replica, ...]
    unknown: tuple[str, ...]
    unseen: frozenset[str]
    times: tuple[NodeTimes, ...] = ()
    instances: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)


def observe(
    fleet: FleetState,
    seen: Seen,
    health: tuple[Health, ...],
    limits: Limits,
    now: datetime,
    gone: frozenset[str] = frozenset(),
) -> Observation:
    """What changed. A node moves before the replicas on it, so both can be written in this order.

    `gone` are the names whose absence from the list is confirmed.
    """
    seen = with_adopted(seen, fleet)
    nodes = _by_name(seen.nodes)
    engines = {replica.name: replica for replica in seen.replicas}
    answers = {answer.replica: answer for answer in health}
    answering = {r.node for r in fleet.replicas if r.live and (a := answers.get(r.name)) and a.ok}
    there = {
        node.name: presence(nodes.get(node.name), answers=node.name in answering, gone=node.name in gone)
        for node in fleet.nodes
    }
    node_moves = tuple(
        move
        for node in fleet.nodes
        if (move := node_move(node, there[node.name], nodes.get(node.name), limits, now))
    )
    ended = {m.name for m in node_moves if m.status in (NodeStatus.GONE, NodeStatus.FAILED)}
    ended |= {node.name for node in fleet.nodes if not node.live}
    adopted = {node.name for node in fleet.nodes if is_adopted(node)}
    replica_moves = (
        node_ended(replica)
        if replica.node in ended
        else replica_move(
            replica,
            engines.get(replica.name),
            answers.get(replica.name),
            limits,
            now,
            gone=replica.name in gone,
            ours=replica.node not in adopted,
        )
        for replica in fleet.replicas
        if replica.live
    )
    running = {name for name, node in nodes.items() if node.ended_at is None}
    return Observation(
        nodes=node_moves,
        replicas=tuple(move for move in replica_moves if move is not None),
        stray_nodes=tuple(n for n in fleet.nodes if not n.live and n.name in running and not is_adopted(n)),
        stray_replicas=tuple(
            r for r in fleet.replicas if not r.live and r.name in engines and r.node not in adopted
        ),
        unknown=tuple(sorted((running | set(engines)) - _known(fleet))),
        unseen=frozenset(
            n.name
            for n in fleet.nodes
            if n.status is NodeStatus.LAUNCHING and there[n.name] is Presence.UNSURE
        ),
        times=times_of(fleet.nodes, seen.nodes),
        instances=new_instances(fleet.nodes, nodes),
        told=newly_told(fleet.replicas, engines),
    )


def awaited(fleet: FleetState) -> tuple[frozenset[str], frozenset[str]]:
    """The nodes and the replicas that a launcher's list ought to hold."""
    ours = {node.name for node in fleet.nodes if not is_adopted(node)}
    begun = (NodeStatus.UP, NodeStatus.STOPPING, NodeStatus.NEEDS_ATTENTION)
    nodes = frozenset(n.name for n in fleet.nodes if n.name in ours and n.status in begun)
    return nodes, frozenset(r.name for r in fleet.replicas if r.live and r.node in ours)


def listed(seen: Seen) -> tuple[frozenset[str], frozenset[str]]:
    """The nodes that the list says anything about, and the replicas that it holds."""
    return frozenset(n.name for n in seen.nodes), frozenset(r.name for r in seen.replicas)


def _by_name(nodes: Iterable[SeenNode]) -> dict[str, SeenNode]:
    """What is listed of each name: of several, one that runs."""
    return {node.name: node for node in sorted(nodes, key=lambda node: node.ended_at is None)}


def _known(fleet: FleetState) -> set[str]:
    names = {row.name for row in fleet.nodes} | {row.name for row in fleet.replicas}
    return names | {row.name for row in fleet.unreadable}
