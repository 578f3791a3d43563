"""When what serves may be moved without need: windows, freezes, and how much of it at once. Pure.

Only voluntary moves are bound by it: not the replacement of what failed, not shedding over the cap, not
`bouted down`.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum


class Day(StrEnum):
    """Days of the week, in UTC."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_WEEK = tuple(Day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start` to `end` (UTC) of each of these days; one that ends no later than it starts passes
    midnight and belongs to the day on which it started."""

    days: tuple[Day, ...]
    start: time
    end: time

    def holds(self, now: datetime) -> bool:
        """Whether `now` lies in it. The start belongs to it, the end does not."""
        clock, today, yesterday = now.time(), _WEEK[now.weekday()], _WEEK[now.weekday() - 1]
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        began = today in self.days and clock >= self.start
        return began or (yesterday in self.days and clock < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Nothing that serves is moved from `start` up to `end`."""

    start: datetime
    end: datetime

    def holds(self, now: datetime) -> bool:
        """Whether `now` lies in it."""
        return self.start <= now < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """At most `max_drains` replicas drain at once; without windows every time will do."""

    max_drains: int = 4
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    def closed_because(self, now: datetime) -> str:
        """Why nothing may be moved now, "" when it may."""
        freeze = next((freeze for freeze in self.freezes if freeze.holds(now)), None)
        if freeze is not None:
            return f"changes are frozen until {freeze.end:%Y-%m-%d %H:%M} UTC"
        if not self.windows or any(window.holds(now) for window in self.windows):
            return ""
        return f"no window is open before {self._opens(now):%Y-%m-%d %H:%M} UTC"

    def _opens(self, now: datetime) -> datetime:
        """When the next window opens; each opens within a week."""
        starts = (
            datetime.combine(now.date() + timedelta(days=ahead), window.start, now.tzinfo)
            for ahead in range(8)
            for window in self.windows
            if _WEEK[(now.weekday() + ahead) % 7] in window.days
        )
        return min(start for start in starts if start > now)
