"""Statuses and reasons of nodes and replicas, and the one table of moves between them."""

from enum import StrEnum


class NodeStatus(StrEnum):
    """Life of one rented instance."""

    PLANNED = "planned"  # intent is written, nothing was asked for
    LAUNCHING = "launching"  # asked for; it may already cost money
    UP = "up"  # seen running
    STOPPING = "stopping"  # asked to end; it still costs money
    NEEDS_ATTENTION = "needs_attention"  # what is seen of it cannot be; it may cost money, a person is told
    GONE = "gone"  # seen ended
    FAILED = "failed"  # never came up, or vanished


class ReplicaStatus(StrEnum):
    """Life of one engine process group on a node."""

    PLANNED = "planned"
    STARTING = "starting"
    WARMING = "warming"  # answers, but is not ready for queries
    READY = "ready"
    DRAINING = "draining"  # out of the route table, running streams finish
    NEEDS_ATTENTION = "needs_attention"  # what is seen of it cannot be; a person is told
    STOPPED = "stopped"
    FAILED = "failed"


class Reason(StrEnum):
    """Why something is in its status."""

    PLAN = "plan"
    SUPERSEDED = "superseded"
    OPERATOR = "operator"
    OBSERVED = "observed"
    REPLACED = "replaced"
    LOST = "lost"
    UNHEALTHY = "unhealthy"
    NO_CAPACITY = "no_capacity"
    QUOTA = "quota"
    BUDGET = "budget"
    TIMEOUT = "timeout"
    ERROR = "error"
    DRAINED = "drained"
    NODE_ENDED = "node_ended"
    STRAY = "stray"
    ORPHAN = "orphan"
    ADOPTED = "adopted"
    RELEASED = "released"
    UNEXPECTED = "unexpected"


_N, _R = NodeStatus, ReplicaStatus

NODE_MOVES: dict[NodeStatus, frozenset[NodeStatus]] = {
    _N.PLANNED: frozenset({_N.LAUNCHING, _N.NEEDS_ATTENTION, _N.GONE, _N.FAILED}),
    _N.LAUNCHING: frozenset({_N.UP, _N.STOPPING, _N.NEEDS_ATTENTION, _N.FAILED}),
    _N.UP: frozenset({_N.STOPPING, _N.NEEDS_ATTENTION, _N.FAILED}),
    _N.STOPPING: frozenset({_N.NEEDS_ATTENTION, _N.GONE, _N.FAILED}),
    _N.NEEDS_ATTENTION: frozenset({_N.UP, _N.STOPPING, _N.GONE, _N.FAILED}),
    _N.GONE: frozenset({_N.STOPPING}),
    _N.FAILED: frozenset({_N.STOPPING, _N.GONE}),
}
"""What has ended may be found running once more: it is then paid for until it is stopped again."""

REPLICA_MOVES: dict[ReplicaStatus, frozenset[ReplicaStatus]] = {
    _R.PLANNED: frozenset({_R.STARTING, _R.NEEDS_ATTENTION, _R.STOPPED, _R.FAILED}),
    _R.STARTING: frozenset({_R.WARMING, _R.READY, _R.DRAINING, _R.NEEDS_ATTENTION, _R.STOPPED, _R.FAILED}),
    _R.WARMING: frozenset({_R.READY, _R.DRAINING, _R.NEEDS_ATTENTION, _R.STOPPED, _R.FAILED}),
    _R.READY: frozenset({_R.DRAINING, _R.NEEDS_ATTENTION, _R.STOPPED, _R.FAILED}),
    _R.DRAINING: frozenset({_R.NEEDS_ATTENTION, _R.STOPPED, _R.FAILED}),
    _R.NEEDS_ATTENTION: frozenset({_R.READY, _R.DRAINING, _R.STOPPED, _R.FAILED}),
    _R.STOPPED: frozenset(),
    _R.FAILED: frozenset(),
}

NODE_LIVE = frozenset({_N.PLANNED, _N.LAUNCHING, _N.UP, _N.STOPPING, _N.NEEDS_ATTENTION})
NODE_PAID = frozenset({_N.LAUNCHING, _N.UP, _N.STOPPING, _N.NEEDS_ATTENTION})
REPLICA_LIVE = frozenset({_R.PLANNED, _R.STARTING, _R.WARMING, _R.READY, _R.DRAINING, _R.NEEDS_ATTENTION})


def require_node_move(before: NodeStatus, after: NodeStatus) -> None:
    """ValueError unless the table allows `before` to become `after`."""
    if after not in NODE_MOVES[before]:
        raise ValueError(f"a node cannot go from {before} to {after}")


def require_replica_move(before: ReplicaStatus, after: ReplicaStatus) -> None:
    """ValueError unless the table allows `before` to become `after`."""
    if after not in REPLICA_MOVES[before]:
        raise ValueError(f"a replica cannot go from {before} to {after}")
