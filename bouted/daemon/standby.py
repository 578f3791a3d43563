"""The daemon without the lease: waits beside the active one, ready to take over from it."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from bouted.clock import Clock
from bouted.daemon.service import LEASE_S
from bouted.errors import AlreadyRunning, Retryable
from bouted.store.lease import DAEMON_LEASE, LeaseInfo, lease_holder, lease_now, release_lease, take_lease
from bouted.store.names import STANDBY_LEASE
from bouted.store.open import Store
from bouted.systemd_notify import notify

log = logging.getLogger(__name__)

TRY_S = 1.0
SOON_S = 0.05


@dataclass(slots=True, kw_only=True)
class Standby:
    """One candidate for the daemon's lease. `holder` names it, on the lease it waits for and on its own."""

    store: Store
    clock: Clock
    holder: str
    said: str = field(default="", init=False)

    async def wait(self, stop: asyncio.Event) -> int | None:
        """The token of the daemon's lease, taken the moment it is free; None if `stop` was set first.

        A database that does not answer is asked again: a standby outlives it.
        """
        while not stop.is_set():
            try:
                active = await asyncio.to_thread(self._look)
                if active is None:
                    return await asyncio.to_thread(self._take)
                self._say(f"standby; active is {active.holder}")
                wait_s = await asyncio.to_thread(self._left_s, active)
            except AlreadyRunning:  # another standby was quicker
                continue
            except (Retryable, DBAPIError) as trouble:
                self._say(f"standby; the database does not answer: {str(trouble).splitlines()[0]}")
                wait_s = TRY_S
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)
        return None

    def _look(self) -> LeaseInfo | None:
        """Who is active; None when the lease is free or this candidate's own, from before a restart."""
        active = lease_holder(self.store, DAEMON_LEASE, self._now())
        return None if active is None or active.holder == self.holder else active

    def _take(self) -> int:
        token = take_lease(self.store, DAEMON_LEASE, self.holder, self._now(), LEASE_S)
        self._leave()
        return token

    def _left_s(self, active: LeaseInfo) -> float:
        """Seconds until the next try; on the way, puts on record that somebody waits."""
        now = self._now()
        with suppress(AlreadyRunning):  # a second standby waits unseen
            take_lease(self.store, STANDBY_LEASE, self.holder, now, LEASE_S)
        return min(TRY_S, max(SOON_S, (active.expires_at - now).total_seconds()))

    def _leave(self) -> None:
        """Nobody waits any more, if it was this candidate that did."""
        waiting = lease_holder(self.store, STANDBY_LEASE, self._now())
        if waiting is not None and waiting.holder == self.holder:
            release_lease(self.store, STANDBY_LEASE, self.holder, waiting.token)

    def _now(self) -> datetime:
        return lease_now(self.store, self.clock.now())

    def _say(self, what: str) -> None:
        """Systemd hears it at every turn, which feeds its watchdog too; the log only when it changes."""
        notify("READY=1", f"STATUS={what}", "WATCHDOG=1")
        if what != self.said:
            log.info("%s", what)
        self.said = what
