"""Notices an API server that is well by its own word and does nothing that it is asked."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .sky_wire import RequestState, SkyRequest

FAILED_S = 180.0  # how long looks may fail, each of which waits for a minute
PENDING_S = 900.0  # how long a request may wait while nothing at all is worked on


@dataclass(slots=True)
class Deaf:
    """Remembers since when nothing was done. Its workers may have died while it still answers."""

    since: datetime | None = None
    _pending: dict[str, datetime] = field(default_factory=dict)

    def failed(self, now: datetime) -> bool:
        """A look was answered late, or with an error; whether that has lasted for too long."""
        self.since = since = min(self.since or now, now)
        return now - since > timedelta(seconds=FAILED_S)

    def answered(self, requests: Iterable[SkyRequest], now: datetime) -> bool:
        """A look was answered; whether requests have waited in vain for too long."""
        self.since, requests = None, tuple(requests)
        idle = all(request.state is not RequestState.RUNNING for request in requests)
        waiting = [request.id for request in requests if idle and request.state is RequestState.PENDING]
        self._pending = {id: min(self._pending.get(id, now), now) for id in waiting}
        return any(now - since > timedelta(seconds=PENDING_S) for since in self._pending.values())

    def forget(self) -> None:
        """Another server has come."""
        self.since, self._pending = None, {}
