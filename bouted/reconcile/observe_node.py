"""What is seen of one node, turned into its next status. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from bouted.reconcile.actions import Limits
from bouted.reconcile.fleet import Node
from bouted.reconcile.launcher import SeenNode, Why
from bouted.reconcile.states import NodeStatus, Reason

_REFUSALS = {
    Why.NO_CAPACITY: Reason.NO_CAPACITY,
    Why.QUOTA: Reason.QUOTA,
    Why.MISCONFIGURED: Reason.ERROR,
    Why.BROKEN: Reason.ERROR,
}


class Presence(Enum):
    """Whether a node exists."""

    RUNS = auto()  # it is listed as running
    ENDED = auto()  # it is listed as ended, or its absence is confirmed
    UNSURE = auto()  # the list lacks it, which is not confirmed or not to be believed


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMove:
    """A node's new status, and why. The times are the provider's own, None where it gave none."""

    name: str
    status: NodeStatus
    reason: Reason
    note: str = ""
    launched_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTimes:
    """When a node's bill began and ended, as its provider says now."""

    name: str
    started_at: datetime | None
    ended_at: datetime | None


def presence(seen: SeenNode | None, *, answers: bool, gone: bool) -> Presence:
    """Whether a node exists, of which this is listed. `answers`: an engine on it does."""
    if seen is not None:
        return Presence.RUNS if seen.ended_at is None else Presence.ENDED
    return Presence.ENDED if gone and not answers else Presence.UNSURE


def node_move(
    node: Node, there: Presence, seen: SeenNode | None, limits: Limits, now: datetime
) -> NodeMove | None:
    """The node's next status, None to stay."""
    if there is Presence.ENDED and node.paid:
        return ended_move(node, seen)
    match node.status:
        case NodeStatus.PLANNED if there is Presence.RUNS:
            return _move(node, NodeStatus.LAUNCHING, Reason.OBSERVED, seen)
        case NodeStatus.LAUNCHING:
            return _launching(node, seen, limits, now)
        case NodeStatus.STOPPING if there is Presence.RUNS:
            return _stopping(node, seen, limits, now)
        case NodeStatus.NEEDS_ATTENTION if seen is not None and seen.up and node.reason is Reason.UNEXPECTED:
            return _move(node, NodeStatus.UP, Reason.OBSERVED, seen)
    return None


def ended_move(node: Node, seen: SeenNode | None) -> NodeMove:
    """The end of a node that may have cost: given up, as asked, never begun, or lost. `seen` is how it is
    listed."""
    if node.reason is Reason.NEVER_UP:
        return _move(node, NodeStatus.FAILED, Reason.NEVER_UP, seen, node.note)
    asked = node.status is NodeStatus.STOPPING or (
        node.status is NodeStatus.NEEDS_ATTENTION and node.reason is Reason.TIMEOUT
    )
    if asked:
        return _move(node, NodeStatus.GONE, node.reason, seen)
    if seen is not None and seen.refused is not None:
        return _move(node, NodeStatus.FAILED, _REFUSALS[seen.refused.why], seen, seen.refused.detail)
    note = "its provider ended it" if seen is not None else "it is no longer there"
    return _move(node, NodeStatus.FAILED, Reason.LOST, seen, note)


def times_of(nodes: Iterable[Node], listed: Iterable[SeenNode]) -> tuple[NodeTimes, ...]:
    """What the provider says of the times of nodes that have a row, of each machine that had the name. The
    end of a launch that was refused is no machine's."""
    known = {node.name for node in nodes}
    told = (
        NodeTimes(name=node.name, started_at=node.started_at, ended_at=node.ended_at)
        for node in listed
        if node.name in known and (node.started_at or (node.ended_at and node.refused is None))
    )
    return tuple(dict.fromkeys(told))


def new_instances(nodes: Iterable[Node], seen: Mapping[str, SeenNode]) -> dict[str, str]:
    """What providers call the nodes of which the rows do not know that yet, by name."""
    known = {node.name: node.instance_id for node in nodes}
    return {
        name: told
        for name, before in known.items()
        if name in seen and (told := seen[name].instance_id) not in ("", before)
    }


def _launching(node: Node, seen: SeenNode | None, limits: Limits, now: datetime) -> NodeMove | None:
    if seen is not None and seen.up:
        return _move(node, NodeStatus.UP, Reason.OBSERVED, seen)
    if (now - node.since).total_seconds() <= limits.launch_timeout_s:
        return None
    # it may run, and may yet come up: it is ended, and costs until that is seen
    note = f"not up after {limits.launch_timeout_s:g} s"
    return _move(node, NodeStatus.STOPPING, Reason.NEVER_UP, seen, note)


def _stopping(node: Node, seen: SeenNode | None, limits: Limits, now: datetime) -> NodeMove | None:
    if (now - node.since).total_seconds() <= limits.stop_timeout_s:
        return None
    note = (
        f"still there {limits.stop_timeout_s:g} s after it was asked to end, and asked again;"
        f" look at your provider's console, or: bouted reap {node.name}"
    )
    if node.reason is Reason.NEVER_UP:
        return _move(node, NodeStatus.NEEDS_ATTENTION, Reason.NEVER_UP, seen, f"{node.note}; {note}")
    return _move(node, NodeStatus.NEEDS_ATTENTION, Reason.TIMEOUT, seen, note)


def _move(node: Node, status: NodeStatus, reason: Reason, seen: SeenNode | None, note: str = "") -> NodeMove:
    return NodeMove(
        name=node.name,
        status=status,
        reason=reason,
        note=note,
        launched_at=seen.started_at if seen is not None else None,
        ended_at=seen.ended_at if seen is not None else None,
    )
