"""What happened, kept for `bouted history`."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bouted.events import Event, EventKind
from bouted.store.legible import garbled_in
from bouted.store.session import Store
from bouted.store.tables import Events

_COLUMNS = ("at", "kind", "severity")


def add_events(store: Store, events: Iterable[Event]) -> None:
    """Keeps these events, in their order."""
    kept = tuple(events)
    if kept:
        with store.writing() as session:
            add_to(session, *kept)


def list_events(store: Store, since: datetime | None = None, limit: int = 100) -> tuple[Event, ...]:
    """The latest events, newest first; with `since`, only those at or after it. One that cannot be read is
    left out."""
    newest = select(Events).order_by(Events.at.desc(), Events.id.desc()).limit(limit)
    if since is not None:
        newest = newest.where(Events.at >= since)
    with store.reading() as session:
        return tuple(_event(row) for row in session.scalars(newest) if not garbled_in(row, _COLUMNS))


def latest_events(store: Store, kinds: Collection[EventKind], limit: int) -> tuple[Event, ...]:
    """The latest events of these kinds, oldest first."""
    newest = select(Events).where(Events.kind.in_(kinds)).order_by(Events.at.desc(), Events.id.desc())
    with store.reading() as session:
        return tuple(_event(row) for row in session.scalars(newest.limit(limit)))[::-1]


def newest_event(store: Store, kinds: Collection[EventKind]) -> Event | None:
    """The latest event of one of these kinds; None when there was none."""
    newest = select(Events).where(Events.kind.in_(kinds)).order_by(Events.at.desc(), Events.id.desc())
    with store.reading() as session:
        row = session.scalars(newest.limit(1)).first()
        return _event(row) if row is not None and not garbled_in(row, _COLUMNS) else None


def add_to(session: Session, *events: Event) -> None:
    """Keeps events in a transaction that is already open."""
    session.add_all(
        Events(
            at=event.at,
            kind=event.kind,
            severity=event.severity,
            subject=event.subject,
            message=event.message,
        )
        for event in events
    )


def _event(row: Events) -> Event:
    return Event(at=row.at, kind=row.kind, severity=row.severity, subject=row.subject, message=row.message)
