"""Tells an operator what waits and why: once, not in every pass."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.events import Event, EventKind, Severity
from bouted.reconcile.standing import Held, HeldBy
from bouted.store.events import add_events
from bouted.store.open import Store

log = logging.getLogger(__name__)

FORGET = timedelta(minutes=10)
"""What comes back within this time is the same thing, and was told."""

_MONEY = frozenset({HeldBy.CAP, HeldBy.MONTH, HeldBy.SHEDDING})
_WARNINGS = frozenset({HeldBy.NO_PLAN, HeldBy.SHEDDING, HeldBy.MASS_STOP, HeldBy.FLOOR, HeldBy.ROUTES})


@dataclass(slots=True, kw_only=True)
class Explainer:
    """Remembers when each thing was last held; after a restart what still waits is told again."""

    store: Store
    clock: Clock
    last: dict[tuple[HeldBy, str], datetime] = field(default_factory=dict)
    shedding: bool = False

    def tell(self, held: tuple[Held, ...]) -> None:
        """Put what is new on record."""
        now = self.clock.now()
        known = {key: at for key, at in self.last.items() if now - at < FORGET}
        events = [self._event(item, now) for item in held if (item.by, item.subject) not in known]
        self.last = known | {(item.by, item.subject): now for item in held}
        shedding = any(item.by is HeldBy.SHEDDING for item in held)
        if self.shedding and not shedding:
            events.append(self._kept_again(now))
        self.shedding = shedding
        if events:
            add_events(self.store, tuple(events))

    def _event(self, held: Held, now: datetime) -> Event:
        log.info("%s: %s", held.by, held.message)
        return Event(
            at=now,
            kind=EventKind.BUDGET if held.by in _MONEY else EventKind.HELD,
            severity=Severity.WARNING if held.by in _WARNINGS else Severity.NOTICE,
            subject=held.subject,
            message=held.message,
        )

    def _kept_again(self, now: datetime) -> Event:
        self.last = {key: at for key, at in self.last.items() if key[0] is not HeldBy.SHEDDING}
        message = "what is committed is within the caps again"
        return Event(at=now, kind=EventKind.BUDGET, severity=Severity.INFO, subject="", message=message)
