"""When a source is asked next: at its pace, ever later while it fails; and when its circuit opens. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bouted.events import Event, EventKind, Severity
from bouted.market.asking import Outcome, Result

BACK_OFF_S = 15.0
LONGEST_BACK_OFF_S = 1800.0
IDLE_S = 3600.0  # how often a source without credentials is looked at again
OPEN_AFTER = 5  # failures in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How it goes with one source. `since` is when its present trouble began, None while there is none.

    `quotes` and `unread` count what its last good answer held, at `answered_at`.
    """

    name: str
    result: Result
    asked_at: datetime
    next_at: datetime
    answered_at: datetime | None = None
    since: datetime | None = None
    failures: int = 0
    error: str = ""
    needs_person: bool = False
    quotes: int = 0
    unread: int = 0

    @property
    def open(self) -> bool:
        """The circuit is open: the source is left alone for longer and longer, and then tried once."""
        return self.failures >= OPEN_AFTER

    def waits(self, now: datetime) -> bool:
        """Its turn has not come. One that was asked later than now was so before the clock was set back."""
        return self.asked_at <= now < self.next_at


def next_course(
    name: str, before: Course | None, outcome: Outcome, now: datetime, *, every_s: float, jitter: float
) -> Course:
    """The course after `outcome`. `jitter` between 0 and 1 spreads the retries of many daemons."""
    good = outcome.result.good or outcome.result is Result.IDLE
    failures = 0 if good else (before.failures if before else 0) + 1
    wait_s = IDLE_S if outcome.result is Result.IDLE else every_s
    if not good:
        grown = min(BACK_OFF_S * 2 ** (failures - 1), LONGEST_BACK_OFF_S)
        wait_s = max(outcome.retry_after_s, grown * (0.5 + jitter / 2))
    kept = outcome.result.good
    return Course(
        name=name,
        result=outcome.result,
        asked_at=now,
        next_at=now + timedelta(seconds=wait_s),
        answered_at=now if kept else before.answered_at if before else None,
        since=None if good else (before.since if before and before.since else now),
        failures=failures,
        error=outcome.error,
        needs_person=outcome.needs_person,
        quotes=len(outcome.answer.quotes) if kept else before.quotes if before else 0,
        unread=len(outcome.answer.unread)
        if kept or outcome.answer.unread
        else before.unread
        if before
        else 0,
    )


def course_event(before: Course | None, after: Course, now: datetime) -> Event | None:
    """A source's first failure, and its recovery; nothing in between."""
    troubled = before is not None and before.since is not None
    if after.since is not None and not troubled:
        kind, severity = EventKind.SOURCE_FAILED, Severity.WARNING
        message = f"prices from {after.name}: {after.error}; its last known prices stay in use"
    elif after.since is None and troubled and before is not None and before.since is not None:
        kind, severity = EventKind.SOURCE_RECOVERED, Severity.INFO
        message = f"prices from {after.name} are back after {_span(now - before.since)}"
    else:
        return None
    return Event(at=now, kind=kind, severity=severity, subject=after.name, message=message)


def _span(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
