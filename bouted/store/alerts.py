"""Which incidents people were told of, so that each is told once and updated in place."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from bouted.store.kinds import AlertState
from bouted.store.session import Store
from bouted.store.tables import Alerts

__all__ = ["AlertRow", "AlertState", "load_alerts", "resolve_alert", "save_alert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One incident. `key` tells it from others; `last_sent_at` is None until a message got through."""

    key: str
    state: AlertState
    opened_at: datetime
    last_sent_at: datetime | None
    body: str = ""


def load_alerts(store: Store) -> tuple[AlertRow, ...]:
    """Every incident, open or resolved, sorted by key."""
    with store.reading() as session:
        return tuple(_alert(row) for row in session.scalars(select(Alerts).order_by(Alerts.key)))


def save_alert(store: Store, alert: AlertRow) -> None:
    """Writes the incident, over what was there under its key."""
    with store.writing() as session:
        session.merge(
            Alerts(
                key=alert.key,
                state=alert.state,
                opened_at=alert.opened_at,
                last_sent_at=alert.last_sent_at,
                body=alert.body,
            )
        )


def resolve_alert(store: Store, key: str) -> None:
    """Says that the incident is over; nothing happens when there is none under this key."""
    with store.writing() as session:
        row = session.get(Alerts, key)
        if row is not None:
            row.state = AlertState.RESOLVED


def _alert(row: Alerts) -> AlertRow:
    return AlertRow(
        key=row.key,
        state=row.state,
        opened_at=row.opened_at,
        last_sent_at=row.last_sent_at,
        body=row.body,
    )
