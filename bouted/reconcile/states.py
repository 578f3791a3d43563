"""Statuses and reasons of nodes and replicas, and the one table of moves between them.

docs/states.md is drawn from this module.
"""

from enum import StrEnum
from typing import Self


class Told(StrEnum):
    """Words that say what they mean."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class NodeStatus(Told):
    """Life of one rented instance."""

    PLANNED = "planned", "its intent is written, nothing was asked for"
    LAUNCHING = "launching", "asked for; it may already cost money"
    UP = "up", "seen running"
    STOPPING = "stopping", "asked to end; it still costs money"
    NEEDS_ATTENTION = "needs_attention", "what is known of it cannot be; it may cost money, a person is told"
    GONE = "gone", "seen ended"
    FAILED = "failed", "never came up, or vanished"


class ReplicaStatus(Told):
    """Life of one engine process group on a node."""

    PLANNED = "planned", "its intent is written, nothing was started"
    STARTING = "starting", "its process was started"
    WARMING = "warming", "answers, but is not ready for queries"
    READY = "ready", "serves"
    DRAINING = "draining", "out of the route table, running streams finish"
    NEEDS_ATTENTION = (
        "needs_attention",
        "what is known of it cannot be; out of the route table, a person is told",
    )
    STOPPED = "stopped", "ended as it should"
    FAILED = "failed", "never came up, fell ill, or vanished"


class Reason(Told):
    """Why something is in its status."""

    PLAN = "plan", "the plan wants it so"
    NOTICED = "noticed", "its provider said that it takes it back"
    SUPERSEDED = "superseded", "the plan does not want it any more"
    UPGRADED = "upgraded", "another version of its engine takes its place"
    OPERATOR = "operator", "a person wanted it so"
    OBSERVED = "observed", "it was seen so"
    REPLACED = "replaced", "it takes the place of one that ended"
    LOST = "lost", "it ended although nobody asked: taken by its provider, or dead"
    UNHEALTHY = "unhealthy", "it runs, but does not answer well"
    NO_CAPACITY = "no_capacity", "the provider has no such instance now"
    QUOTA = "quota", "the account may not rent it"
    BUDGET = "budget", "it would have broken the spend cap"
    TIMEOUT = "timeout", "it took longer than it may"
    NEVER_UP = "never_up", "it did not come up in its time, and is ended because it may still run"
    ERROR = "error", "the launcher or its cloud refused: no right, no image, or it broke on the way up"
    DRAINED = "drained", "its streams had finished, or their time was over"
    NODE_ENDED = "node_ended", "the node under it ended"
    STRAY = "stray", "found running after it had ended, and stopped again"
    ORPHAN = "orphan", "found running under our mark without a row, and stopped"
    ADOPTED = "adopted", "somebody else runs it; bouted only sends it queries"
    RELEASED = "released", "it was adopted and is let go; it goes on"
    UNEXPECTED = "unexpected", "its row says what cannot be, or it was seen to do so"


class ImpossibleMove(ValueError):
    """The table of moves does not allow this one."""


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
    """ImpossibleMove unless the table allows `before` to become `after`."""
    if after not in NODE_MOVES[before]:
        raise ImpossibleMove(f"a node cannot go from {before} to {after}")


def require_replica_move(before: ReplicaStatus, after: ReplicaStatus) -> None:
    """ImpossibleMove unless the table allows `before` to become `after`."""
    if after not in REPLICA_MOVES[before]:
        raise ImpossibleMove(f"a replica cannot go from {before} to {after}")
