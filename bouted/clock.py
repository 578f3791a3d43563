"""Where "now" comes from. Decisions take `now` as an argument; only loops hold a Clock."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; the daemon holds a real one, tests hold `bouted.testing.clock.ManualClock`."""

    def now(self) -> datetime:
        """The current instant, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def require_utc(at: datetime, what: str) -> datetime:
    """`at` unchanged; ValueError unless it is aware and in UTC."""
    offset = at.utcoffset()
    if offset is None or offset.total_seconds() != 0:
        raise ValueError(f"{what} must be an aware UTC datetime, got {at!r}")
    return at
