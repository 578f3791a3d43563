"""Rows of nodes and replicas as frozen values, whatever somebody wrote into them.

A status that is no status makes the row one that needs attention; a reason that is none is only told. A
row of which anything else cannot be read has no value: it is `Unreadable`.
"""

from decimal import Decimal

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from bouted.reconcile.fleet import Fetched, Node, Replica, Unreadable
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.legible import Garbled, garbled_in
from bouted.store.tables import Nodes, Replicas

_NODE_COLUMNS = ("incarnation", "offer", "template", "since", "launched_at", "ended_at")
_REPLICA_COLUMNS = ("position", "incarnation", "shape", "since")
_NODE_ENDED = (NodeStatus.FAILED, NodeStatus.GONE)
_REPLICA_ENDED = (ReplicaStatus.FAILED, ReplicaStatus.STOPPED)


def node_may_live() -> ColumnElement[bool]:
    """Rows of nodes that have not ended, or that do not say so in both places."""
    return or_(_none_of(Nodes.status, *_NODE_ENDED), Nodes.ended_at.is_(None))


def replica_may_live() -> ColumnElement[bool]:
    """Rows of replicas that have not ended, unknown statuses among them."""
    return _none_of(Replicas.status, *_REPLICA_ENDED)


def node_status(row: Nodes) -> tuple[NodeStatus, str]:
    """The row's status, and what is wrong with it, "" for nothing."""
    if isinstance(row.status, Garbled):
        return NodeStatus.NEEDS_ATTENTION, f"status was {row.status}"
    ended = row.status in _NODE_ENDED
    if ended and row.ended_at is None:
        return NodeStatus.NEEDS_ATTENTION, f"status was {row.status}, and nobody saw it end"
    if not ended and row.ended_at is not None:
        return NodeStatus.NEEDS_ATTENTION, f"status was {row.status}, but it ended at {row.ended_at}"
    return row.status, ""


def replica_status(row: Replicas) -> tuple[ReplicaStatus, str]:
    """The row's status, and what is wrong with it, "" for nothing."""
    if isinstance(row.status, Garbled):
        return ReplicaStatus.NEEDS_ATTENTION, f"status was {row.status}"
    return row.status, ""


def node_value(row: Nodes) -> Node | Unreadable:
    """The frozen value of a row."""
    found = garbled_in(row, _NODE_COLUMNS)
    if found is not None:
        return _unreadable(row.name, row.name, *found)
    status, wrong = node_status(row)
    reason, note = _told(row.reason, wrong, row.note, row.name)
    return Node(
        name=row.name,
        slot=row.slot,
        incarnation=row.incarnation,
        plan_id=row.plan_id,
        offer=row.offer,
        template=row.template,
        launcher=row.launcher,
        status=status,
        reason=reason,
        since=row.since,
        launched_at=row.launched_at,
        note=note,
        instance_id=row.instance_id,
    )


def replica_value(row: Replicas) -> Replica | Unreadable:
    """The frozen value of a row."""
    found = garbled_in(row, _REPLICA_COLUMNS)
    if found is not None:
        return _unreadable(row.name, row.node, *found)
    status, wrong = replica_status(row)
    reason, note = _told(row.reason, wrong, row.note, row.name)
    return Replica(
        name=row.name,
        node=row.node,
        position=row.position,
        incarnation=row.incarnation,
        shape=row.shape,
        status=status,
        reason=reason,
        since=row.since,
        endpoint=row.endpoint,
        note=note,
        version=row.version,
        fetched=_fetched(row),
    )


def _fetched(row: Replicas) -> Fetched | None:
    """Rows may have been edited by hand."""
    if not isinstance(row.fetched_gib, float) or not isinstance(row.fetch_s, float):
        return None
    return Fetched(gib=row.fetched_gib, seconds=row.fetch_s)


def way_out(name: str) -> str:
    """What a person can do about a row."""
    return f"set it right, or: bouted reap {name}"


def _told(reason: Reason | Garbled, wrong: str, note: str, name: str) -> tuple[Reason, str]:
    """Reason and note, with what is wrong with the row before the note that it had."""
    said = [f"{wrong}; {way_out(name)}"] if wrong else []
    if isinstance(reason, Garbled):
        said.append(f"reason was {reason}")
    known = Reason.UNEXPECTED if wrong or isinstance(reason, Garbled) else reason
    return known, ": ".join([*said, note] if note else said)


def _unreadable(name: str, node: str, column: str, value: Garbled) -> Unreadable:
    return Unreadable(
        name=name,
        node=node,
        why=f"{column} cannot be read: {value}",
        hint=way_out(name),
        usd_per_hour=Decimal(0),
    )


def _none_of(
    column: InstrumentedAttribute[NodeStatus] | InstrumentedAttribute[ReplicaStatus], *words: str
) -> ColumnElement[bool]:
    """Neither of two words, said as ranges: an index on the column can be used for these."""
    low, high = sorted(words)
    return or_(column < low, and_(column > low, column < high), column > high)
