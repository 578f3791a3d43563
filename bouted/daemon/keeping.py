"""Keeps the store small, mends its times after the clock was set back, and backs it up once a day."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bouted.clock import Clock
from bouted.config.running import DatabaseSettings
from bouted.events import Event, EventKind, Severity
from bouted.store.backup import back_up
from bouted.store.events import add_events
from bouted.store.keeping import Keep, give_back, let_go_old, mend_future
from bouted.store.session import Store
from bouted.store.urls import sqlite_path
from bouted.threads import InThread

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
BACKUP = ".daily.backup"


@dataclass(slots=True, kw_only=True)
class HouseKeeper:
    """`cleaned_at` is when old rows were last let go."""

    store: Store
    clock: Clock
    in_thread: InThread = asyncio.to_thread
    cleaned_at: datetime | None = None

    async def tick(self, settings: DatabaseSettings) -> None:
        """What is due now; most of it once a day."""
        now = self.clock.now()
        self._mend(now)
        if self.cleaned_at is not None and timedelta(0) <= now - self.cleaned_at < DAY:
            return
        self.cleaned_at = now
        await self.in_thread(self._clean, now, settings)

    def _mend(self, now: datetime) -> None:
        ahead = mend_future(self.store, now)
        if ahead:
            told = f"the clock was set back: {ahead} rows were ahead of it, their waiting begins now"
            event = Event(
                at=now, kind=EventKind.CLOCK_BACK, severity=Severity.WARNING, subject="bouted", message=told
            )
            add_events(self.store, (event,))

    def _clean(self, now: datetime, settings: DatabaseSettings) -> None:
        keep = Keep(journal=timedelta(days=settings.journal_days), history=timedelta(days=settings.keep_days))
        removed = let_go_old(self.store, now, keep)
        give_back(self.store)
        if removed:
            log.info("let go of %d old rows", removed)
        path = sqlite_path(self.store.url)
        if path is not None and settings.daily_backup:
            self._back_up(path.with_name(path.name + BACKUP), now)

    def _back_up(self, target: Path, now: datetime) -> None:
        """Unless the last one is not a day old; a daemon that is restarted often makes no more of them."""
        age = now - datetime.fromtimestamp(target.stat().st_mtime, UTC) if target.exists() else DAY
        if timedelta(0) <= age < DAY:
            return
        back_up(self.store.url, target)
