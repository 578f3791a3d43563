"""Which messages are due: each incident is opened once, reminded of, and resolved. Pure.

All memory is in the store's alert rows, so a restart neither repeats a message nor forgets one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bouted.alerts.incident import Alert
from bouted.alerts.message import opened, reminder, resolved
from bouted.store.alerts import AlertRow, AlertState

REMIND_AFTER = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A message to send, None where only the row changes, and the row to save once it was sent."""

    message: str | None
    row: AlertRow


def due_alerts(
    held: Sequence[Alert], known: Sequence[AlertRow], *, deployment: str, now: datetime
) -> tuple[Due, ...]:
    """What to send and save, given the incidents that hold `now` and every row that the store knows."""
    rows = {row.key: row for row in known}
    told = [_advance(alert, rows.get(alert.key), deployment, now) for alert in held]
    keys, groups = {alert.key for alert in held}, {alert.group for alert in held}
    over = [
        _end(row, deployment, now, overtaken=any(row.key.startswith(f"{group}:") for group in groups))
        for row in known
        if row.state is AlertState.OPEN and row.key not in keys
    ]
    return (*over, *(due for due in told if due is not None))


def _advance(alert: Alert, row: AlertRow | None, deployment: str, now: datetime) -> Due | None:
    """The next step of an incident that holds: nothing, wait, open or remind."""
    if alert.once:
        return None if row else _open(alert, _fresh(alert, now), deployment, now)
    if row is None or row.state is AlertState.RESOLVED:
        row = _fresh(alert, now)
        if alert.wait_s > 0:
            return Due(message=None, row=row)
    if row.opened_at > now:  # the clock was set back since
        row = replace(row, opened_at=now)
        if row.last_sent_at is None and alert.wait_s > 0:
            return Due(message=None, row=row)
    if row.last_sent_at is None:
        waited_s = (now - row.opened_at).total_seconds()
        return _open(alert, row, deployment, now) if waited_s >= alert.wait_s else None
    if _has_passed(REMIND_AFTER, row.last_sent_at, now):
        message = reminder(alert, deployment, row.opened_at, now)
        return Due(message=message, row=replace(row, last_sent_at=now, body=alert.what))
    return None


def _has_passed(span: timedelta, since: datetime, now: datetime) -> bool:
    """Also where the clock was set back since: a message too many is better than none for hours."""
    return not timedelta(0) <= now - since < span


def _fresh(alert: Alert, now: datetime) -> AlertRow:
    return AlertRow(key=alert.key, state=AlertState.OPEN, opened_at=now, last_sent_at=None, body=alert.what)


def _open(alert: Alert, row: AlertRow, deployment: str, now: datetime) -> Due:
    state = AlertState.RESOLVED if alert.once else AlertState.OPEN
    message = opened(alert, deployment, row.opened_at)
    return Due(message=message, row=replace(row, state=state, last_sent_at=now, body=alert.what))


def _end(row: AlertRow, deployment: str, now: datetime, *, overtaken: bool) -> Due:
    """An incident that no longer holds; one that nobody was told of, or that grew, ends without a word."""
    silent = overtaken or row.last_sent_at is None
    message = None if silent else resolved(row.body, deployment, row.opened_at, now)
    return Due(message=message, row=replace(row, state=AlertState.RESOLVED))
