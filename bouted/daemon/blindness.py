"""Tells people when the launcher's list cannot be had, or cannot be believed."""

import logging
from dataclasses import dataclass
from datetime import datetime

from bouted.clock import Clock
from bouted.errors import BoutedError
from bouted.events import Event, EventKind, Severity
from bouted.store.events import add_events
from bouted.store.open import Store

log = logging.getLogger(__name__)

TOLD_AFTER_S = 60.0


@dataclass(slots=True, kw_only=True)
class Blindness:
    """Remembers since when there is no list; says so once, and once when it is over.

    `trouble` is what is wrong now in one line, "" for nothing.
    """

    store: Store
    clock: Clock
    launcher: str
    since: datetime | None = None
    trouble: str = ""

    def failed(self, error: BoutedError) -> None:
        """The launcher could not be asked."""
        now = self.clock.now()
        if self.since is None or self.since > now:
            self.since = now
            log.warning("%s cannot be asked what runs: %s", self.launcher, error)
        if (now - self.since).total_seconds() >= TOLD_AFTER_S:
            self._say(f"{self.launcher} cannot be asked what runs: {error.message}")

    def answered(self) -> None:
        """It could."""
        self.since = None

    def nothing_listed(self, nodes: int) -> None:
        """Its list lacks all of this many nodes; 0: it does not."""
        if nodes:
            self._say(
                f"{self.launcher} lists none of {nodes} nodes all at once: not believed yet;"
                " look at your credentials, or your provider's status page"
            )
        else:
            self._say("")

    def _say(self, trouble: str) -> None:
        before, self.trouble = self.trouble, trouble
        if bool(before) == bool(trouble):
            return
        severity = Severity.WARNING if trouble else Severity.NOTICE
        message = trouble or f"{self.launcher} lists what runs again"
        event = Event(
            at=self.clock.now(),
            kind=EventKind.SIGHT,
            severity=severity,
            subject=self.launcher,
            message=message,
        )
        add_events(self.store, (event,))
