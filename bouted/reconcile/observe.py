"""(rows, what the launcher and the engines say) -> status moves. Pure."""

from dataclasses import dataclass
from datetime import datetime

from bouted.reconcile.actions import Limits
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.launcher import Seen, SeenNode, SeenReplica
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus

START_GRACE_S = 10.0
UNHEALTHY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What one engine answered. `failing_since` is set while it does not answer well."""

    replica: str
    ok: bool
    running: int
    waiting: int
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMove:
    """A node's new status, and why."""

    name: str
    status: NodeStatus
    reason: Reason
    note: str = ""
    launched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaMove:
    """A replica's new status, and why. `endpoint` is set when it became known."""

    name: str
    status: ReplicaStatus
    reason: Reason
    note: str = ""
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Moves to write, things that run although their row has ended (to be stopped again), names that run
    without a row, and nodes that are launching without being seen."""

    nodes: tuple[NodeMove, ...]
    replicas: tuple[ReplicaMove, ...]
    stray_nodes: tuple[Node, ...]
    stray_replicas: tuple[Replica, ...]
    unknown: tuple[str, ...]
    unseen: frozenset[str]


def observe(
    fleet: FleetState, seen: Seen, health: tuple[Health, ...], limits: Limits, now: datetime
) -> Observation:
    """What changed. A node moves before the replicas on it, so both can be written in this order."""
    nodes = {node.name: node for node in seen.nodes}
    engines = {replica.name: replica for replica in seen.replicas}
    answers = {answer.replica: answer for answer in health}
    node_moves = tuple(
        moved for node in fleet.nodes if (moved := _node_move(node, nodes.get(node.name), limits, now))
    )
    ended = {m.name for m in node_moves if m.status in (NodeStatus.GONE, NodeStatus.FAILED)}
    ended |= {node.name for node in fleet.nodes if not node.live}
    replica_moves = (
        _node_ended(replica)
        if replica.node in ended
        else _replica_move(replica, engines.get(replica.name), answers.get(replica.name), limits, now)
        for replica in fleet.replicas
        if replica.live
    )
    known = {node.name for node in fleet.nodes} | {replica.name for replica in fleet.replicas}
    running = {name for name, node in nodes.items() if node.ended_at is None}
    return Observation(
        nodes=node_moves,
        replicas=tuple(move for move in replica_moves if move is not None),
        stray_nodes=tuple(n for n in fleet.nodes if not n.live and n.name in running),
        stray_replicas=tuple(r for r in fleet.replicas if not r.live and r.name in engines),
        unknown=tuple(sorted((running | set(engines)) - known)),
        unseen=frozenset(
            n.name for n in fleet.nodes if n.status is NodeStatus.LAUNCHING and n.name not in nodes
        ),
    )


def _node_move(node: Node, seen: SeenNode | None, limits: Limits, now: datetime) -> NodeMove | None:
    exists = seen is not None and seen.ended_at is None
    match node.status:
        case NodeStatus.PLANNED if exists:
            return NodeMove(name=node.name, status=NodeStatus.LAUNCHING, reason=Reason.OBSERVED)
        case NodeStatus.LAUNCHING:
            return _launching_move(node, seen, limits, now)
        case NodeStatus.UP if not exists:
            return NodeMove(
                name=node.name, status=NodeStatus.FAILED, reason=Reason.LOST, note="it is no longer there"
            )
        case NodeStatus.STOPPING if not exists:
            return NodeMove(name=node.name, status=NodeStatus.GONE, reason=node.reason)
    return None


def _launching_move(node: Node, seen: SeenNode | None, limits: Limits, now: datetime) -> NodeMove | None:
    if seen is not None and seen.ended_at is not None:
        return NodeMove(name=node.name, status=NodeStatus.FAILED, reason=Reason.LOST)
    if seen is not None and seen.up:
        return NodeMove(
            name=node.name,
            status=NodeStatus.UP,
            reason=Reason.OBSERVED,
            launched_at=seen.started_at or now,
        )
    if (now - node.since).total_seconds() > limits.launch_timeout_s:
        note = f"not up after {limits.launch_timeout_s:g} s"
        return NodeMove(name=node.name, status=NodeStatus.FAILED, reason=Reason.TIMEOUT, note=note)
    return None


def _node_ended(replica: Replica) -> ReplicaMove:
    draining = replica.status is ReplicaStatus.DRAINING
    status = ReplicaStatus.STOPPED if draining else ReplicaStatus.FAILED
    return ReplicaMove(name=replica.name, status=status, reason=Reason.NODE_ENDED)


def _replica_move(
    replica: Replica, seen: SeenReplica | None, health: Health | None, limits: Limits, now: datetime
) -> ReplicaMove | None:
    age_s = (now - replica.since).total_seconds()
    match replica.status:
        case ReplicaStatus.PLANNED:
            if seen is None:
                return None
            return ReplicaMove(name=replica.name, status=ReplicaStatus.STARTING, reason=Reason.OBSERVED)
        case ReplicaStatus.DRAINING:
            if seen is not None:
                return None
            return ReplicaMove(name=replica.name, status=ReplicaStatus.STOPPED, reason=Reason.DRAINED)
        case ReplicaStatus.STARTING | ReplicaStatus.WARMING:
            return _starting_move(replica, seen, health, limits, age_s)
        case _:
            return _ready_move(replica, seen, health, now)


def _starting_move(
    replica: Replica, seen: SeenReplica | None, health: Health | None, limits: Limits, age_s: float
) -> ReplicaMove | None:
    if seen is None:
        if age_s < START_GRACE_S:
            return None
        return ReplicaMove(
            name=replica.name,
            status=ReplicaStatus.FAILED,
            reason=Reason.LOST,
            note="its process ended while starting",
        )
    if health is not None and health.ok:
        return ReplicaMove(
            name=replica.name,
            status=ReplicaStatus.READY,
            reason=Reason.OBSERVED,
            endpoint=seen.endpoint,
        )
    if age_s > limits.ready_timeout_s:
        note = f"not ready after {limits.ready_timeout_s:g} s"
        return ReplicaMove(name=replica.name, status=ReplicaStatus.FAILED, reason=Reason.TIMEOUT, note=note)
    if seen.endpoint and replica.status is ReplicaStatus.STARTING:
        return ReplicaMove(
            name=replica.name,
            status=ReplicaStatus.WARMING,
            reason=Reason.OBSERVED,
            endpoint=seen.endpoint,
        )
    return None


def _ready_move(
    replica: Replica, seen: SeenReplica | None, health: Health | None, now: datetime
) -> ReplicaMove | None:
    if seen is None:
        return ReplicaMove(
            name=replica.name,
            status=ReplicaStatus.FAILED,
            reason=Reason.LOST,
            note="its process is gone",
        )
    failing = health.failing_since if health is not None else None
    if failing is not None and (now - failing).total_seconds() > UNHEALTHY_AFTER_S:
        note = f"/health has failed for {(now - failing).total_seconds():.0f} s"
        return ReplicaMove(name=replica.name, status=ReplicaStatus.FAILED, reason=Reason.UNHEALTHY, note=note)
    return None
