"""A clock that stands still until it is told to move."""

from datetime import UTC, datetime, timedelta

from bouted.clock import require_utc


class ManualClock:
    """Tells `start` until `advance` moves it. It never goes back."""

    def __init__(self, start: datetime = datetime(2026, 11, 1, tzinfo=UTC)) -> None:
        self._now = require_utc(start, "start")

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Let this much time pass; the new instant."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds} s")
        self._now += timedelta(seconds=seconds)
        return self._now
