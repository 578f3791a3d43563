"""Nodes and replicas. Every move is checked against the table of moves and told as an event, and a
node's money starts and stops in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bouted.errors import BoutedError, Gone, Misconfigured
from bouted.events import Event, EventKind, Severity
from bouted.reconcile.fleet import Node, Replica, Unreadable
from bouted.reconcile.observe import NodeMove, ReplicaMove, Told
from bouted.reconcile.states import (
    NODE_PAID,
    ImpossibleMove,
    NodeStatus,
    Reason,
    ReplicaStatus,
    require_node_move,
    require_replica_move,
)
from bouted.store.events import add_to
from bouted.store.fleet_rows import node_status, node_value, replica_status, replica_value
from bouted.store.read_fleet import load_fleet
from bouted.store.session import Store
from bouted.store.spend import note_times, note_up, start_paying, stop_paying
from bouted.store.tables import Nodes, Replicas

__all__ = [
    "add_node",
    "add_replica",
    "count_replicas",
    "load_fleet",
    "move_all",
    "move_node",
    "move_replica",
    "note_told",
]

V = TypeVar("V", Node, Replica)
_COMING = (ReplicaStatus.STARTING, ReplicaStatus.WARMING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A move that was not made, and why."""

    move: NodeMove | ReplicaMove
    why: BoutedError | ImpossibleMove


def add_node(store: Store, node: Node) -> None:
    """Writes a node: an intent before launching, or one found running, whose money then starts at once.

    A node that the store has already stays as it is.
    """
    with store.writing() as session:
        if session.get(Nodes, node.name) is not None:
            return
        session.add(
            Nodes(
                name=node.name,
                slot=node.slot,
                incarnation=node.incarnation,
                plan_id=node.plan_id,
                offer=node.offer,
                template=node.template,
                launcher=node.launcher,
                status=node.status,
                reason=node.reason,
                since=node.since,
                launched_at=node.launched_at,
                ended_at=None if node.live else node.since,
                note=node.note,
                instance_id=node.instance_id,
            )
        )
        session.flush()
        if node.paid:
            row, up = session.get_one(Nodes, node.name), node.status is not NodeStatus.LAUNCHING
            start_paying(session, row, node.launched_at or node.since, came_up=up)
            note_times(session, row, node.launched_at, None)


def add_replica(store: Store, replica: Replica) -> None:
    """Writes a replica, whose node must be in the store; one that the store has already stays as it is."""
    with store.writing() as session:
        if session.get(Replicas, replica.name) is not None:
            return
        session.add(
            Replicas(
                name=replica.name,
                node=replica.node,
                position=replica.position,
                incarnation=replica.incarnation,
                shape=replica.shape,
                status=replica.status,
                reason=replica.reason,
                since=replica.since,
                endpoint=replica.endpoint,
                note=replica.note,
                version=replica.version,
            )
        )


def move_node(
    store: Store,
    name: str,
    status: NodeStatus,
    reason: Reason,
    now: datetime,
    *,
    launched_at: datetime | None = None,
    ended_at: datetime | None = None,
    note: str = "",
) -> Node:
    """The node, now in `status`. Its money starts with the first status that may cost and ends when it is
    gone or has failed: at the provider's own `launched_at` and `ended_at` where it gave them, and else, as an
    estimate, when that was asked for and seen.

    A node that is in `status` already stays as it is, but for a new `note` or the provider's times.
    ValueError for a move that the table of moves forbids; Gone when there is no such node; Misconfigured,
    with a hint, when its row cannot be read.
    """
    move = NodeMove(
        name=name, status=status, reason=reason, note=note, launched_at=launched_at, ended_at=ended_at
    )
    with store.writing() as session:
        return _move_node(session, move, now)


def move_replica(
    store: Store,
    name: str,
    status: ReplicaStatus,
    reason: Reason,
    now: datetime,
    *,
    endpoint: str | None = None,
    note: str = "",
) -> Replica:
    """The replica, now in `status`; `endpoint` is kept unless a new one is given.

    A replica that is in `status` already stays as it is, but for a new `endpoint` or `note`. ValueError
    for a move that the table of moves forbids; Gone when there is no such replica; Misconfigured, with a
    hint, when its row cannot be read.
    """
    with store.writing() as session:
        move = ReplicaMove(name=name, status=status, reason=reason, note=note, endpoint=endpoint)
        return _move_replica(session, move, now)


def note_told(store: Store, told: Mapping[str, Told]) -> None:
    """Keeps what these replicas told of themselves, by name."""
    if not told:
        return
    with store.writing() as session:
        for name, words in told.items():
            row = session.get(Replicas, name)
            if row is not None:
                row.version = words.version
                row.fetched_gib = None if words.fetched is None else words.fetched.gib
                row.fetch_s = None if words.fetched is None else words.fetched.seconds


def move_all(store: Store, moves: Sequence[NodeMove | ReplicaMove], now: datetime) -> tuple[Refused, ...]:
    """Makes many moves in one transaction: a look over hundreds of engines costs one commit.

    A move that `move_node` or `move_replica` would refuse is left out and told; the others are made.
    """
    if not moves:
        return ()
    refused = []
    with store.writing() as session:
        for move in moves:
            try:
                with session.begin_nested():
                    if isinstance(move, NodeMove):
                        _move_node(session, move, now)
                    else:
                        _move_replica(session, move, now)
            except (ImpossibleMove, Gone, Misconfigured) as why:
                refused.append(Refused(move=move, why=why))
    return tuple(refused)


def _move_node(session: Session, move: NodeMove, now: datetime) -> Node:
    name, status = move.name, move.status
    row = session.get(Nodes, name, with_for_update=True)
    if row is None:
        raise Gone(f"the store has no node {name}")
    _readable(node_value(row))
    before, _ = node_status(row)
    if status is before:
        note_times(session, row, move.launched_at, move.ended_at)
        row.note = move.note or row.note
        return _readable(node_value(row))
    require_node_move(before, status)
    if (before, status) == (NodeStatus.LAUNCHING, NodeStatus.UP):
        row.took_s = _since_s(row, now)
    row.status, row.reason, row.since, row.note = status, move.reason, now, move.note
    row.ended_at = now if status in (NodeStatus.GONE, NodeStatus.FAILED) else None
    _move_money(session, row, before, now)
    note_times(session, row, move.launched_at, move.ended_at)
    failed = status is NodeStatus.FAILED
    moved = _told("node", name, before, status, move.reason, move.note)
    add_to(session, _event(EventKind.NODE_STATUS, name, moved, now, failed=failed))
    return _readable(node_value(row))


def _move_replica(session: Session, move: ReplicaMove, now: datetime) -> Replica:
    name, status = move.name, move.status
    row = session.get(Replicas, name, with_for_update=True)
    if row is None:
        raise Gone(f"the store has no replica {name}")
    _readable(replica_value(row))
    before, _ = replica_status(row)
    if move.endpoint is not None:
        row.endpoint = move.endpoint
    if status is before:
        row.note = move.note or row.note
        return _readable(replica_value(row))
    require_replica_move(before, status)
    if before in _COMING:
        comes = status in (ReplicaStatus.WARMING, ReplicaStatus.READY)
        row.took_s = (row.took_s or 0.0) + _since_s(row, now) if comes else None
    row.status, row.reason, row.since, row.note = status, move.reason, now, move.note
    failed = status is ReplicaStatus.FAILED
    moved = _told("replica", name, before, status, move.reason, move.note)
    add_to(session, _event(EventKind.REPLICA_STATUS, name, moved, now, failed=failed))
    return _readable(replica_value(row))


def _since_s(row: Nodes | Replicas, now: datetime) -> float:
    """How long it was in the status that it leaves; the clock may have been set back meanwhile."""
    return max(0.0, (now - row.since).total_seconds())


def _move_money(session: Session, row: Nodes, before: NodeStatus, now: datetime) -> None:
    """Opens or closes the node's account when it starts or stops to cost. What needed attention may have been
    edited by hand, so that its account may be missing or closed. A launch that was given up is ended to be
    safe: that alone says nothing of its having run, being found astray does."""
    doubtful = before is NodeStatus.NEEDS_ATTENTION
    if row.status in NODE_PAID and (before not in NODE_PAID or doubtful):
        runs_on = row.reason is Reason.STRAY or (doubtful and row.status is NodeStatus.UP)
        start_paying(session, row, now, came_up=runs_on)
    elif row.status not in NODE_PAID and before in NODE_PAID:
        stop_paying(session, row.name, now)
    if row.status is NodeStatus.UP:
        note_up(session, row.name)


def _readable(value: V | Unreadable) -> V:
    if isinstance(value, Unreadable):
        raise Misconfigured(value.name, f"its row in the store makes no sense: {value.why}", hint=value.hint)
    return value


def _told(what: str, name: str, before: str, after: str, reason: Reason, note: str) -> str:
    moved = f"{what} {name}: {before} -> {after} ({reason})"
    return f"{moved}: {note}" if note else moved


def _event(kind: EventKind, subject: str, message: str, now: datetime, *, failed: bool) -> Event:
    severity = Severity.WARNING if failed else Severity.INFO
    return Event(at=now, kind=kind, severity=severity, subject=subject, message=message)


def count_replicas(store: Store) -> int:
    """Replicas that were ever started."""
    started = select(func.count()).select_from(Replicas).where(Replicas.status != ReplicaStatus.PLANNED)
    with store.reading() as session:
        return int(session.scalar(started) or 0)
