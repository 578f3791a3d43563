"""Holds the dead-man switch of every node: each ends itself when nobody has renewed its lease for long.

A renewal that fails is told at a third of the lease, long before it bites.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.errors import BoutedError
from bouted.events import Event, EventKind, Severity
from bouted.reconcile.launcher import Launcher
from bouted.store.events import add_events
from bouted.store.open import Store
from bouted.threads import InThread

log = logging.getLogger(__name__)

TOLD_AT = 1 / 3  # of the lease
RENEW_S = 600.0
RENEWALS = 6  # at least so many in a lease


@dataclass(slots=True, kw_only=True)
class DeadMan:
    """Remembers when each node's lease was last moved.

    `failing` is how the last renewal went; `trouble` says in one line what is late. After a restart nobody
    knows how much of a lease is left: a renewal that fails then is told at once.

    The config's lease may change: `launched_s` is how long a node's first one lasts, which the launcher was
    told at the start, and `held_s` the shortest that the last renewals left.
    """

    store: Store
    launcher: Launcher
    clock: Clock
    span_s: Callable[[], float]
    in_thread: InThread = asyncio.to_thread
    renewed: dict[str, datetime] = field(default_factory=dict)
    failing: bool = False
    trouble: str = ""
    launched_s: float = field(init=False)
    held_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.launched_s = self.held_s = self.span_s()

    def every_s(self) -> float:
        """How often to renew, as of now: the shortest lease that a node may have must not run out between."""
        return min(RENEW_S, min(self.launched_s, self.held_s, self.span_s()) / RENEWALS)

    async def renew(self, nodes: tuple[str, ...], spans: int = 1) -> datetime:
        """Hold the switch of these nodes for so many leases; until when. Never raises for the launcher."""
        now, for_s = self.clock.now(), spans * self.span_s()
        self.renewed = {name: min(at, now) for name, at in self.renewed.items() if name in nodes}
        failed = await self._move(nodes, for_s) if nodes else {}
        self.renewed |= {name: now for name in nodes if name not in failed}
        self.failing = bool(failed)
        self.held_s = min(self.held_s, for_s) if failed else for_s
        self._tell(self._late(failed, now), next(iter(failed.values()), ""))
        return now + timedelta(seconds=for_s)

    async def _move(self, nodes: tuple[str, ...], for_s: float) -> dict[str, str]:
        """Why it failed, by node. All at once first, then each by itself: one must not stop the others."""
        error = await self._try(nodes, for_s)
        if not error:
            return {}
        log.warning("the dead-man switch of %d nodes was not moved: %s", len(nodes), error)
        if len(nodes) == 1:
            return {nodes[0]: error}
        tried = {name: await self._try((name,), for_s) for name in nodes}
        return {name: error for name, error in tried.items() if error}

    async def _try(self, nodes: tuple[str, ...], for_s: float) -> str:
        try:
            await self.in_thread(self.launcher.renew, nodes, for_s)
        except BoutedError as error:
            return error.message
        except Exception as error:  # a bug in a launcher must not keep the other nodes from being renewed
            log.exception("renewing %s", ", ".join(nodes))
            return f"{type(error).__name__}: {error}"
        return ""

    def _late(self, failed: dict[str, str], now: datetime) -> dict[str, datetime | None]:
        """The nodes that have waited for a third of the lease, and when each ends itself, None if unknown."""
        span = timedelta(seconds=self.span_s())
        moved = {name: self.renewed.get(name) for name in failed}
        return {
            name: at + span if at is not None else None
            for name, at in moved.items()
            if at is None or now - at >= span * TOLD_AT
        }

    def _tell(self, late: dict[str, datetime | None], error: str) -> None:
        """Say what is new: trouble, or the end of it."""
        before, self.trouble = self.trouble, _words(late, error)
        if bool(before) == bool(self.trouble):
            return
        message = self.trouble or "the dead-man switch of every node is held again"
        severity = Severity.PAGE if self.trouble else Severity.NOTICE
        event = Event(
            at=self.clock.now(),
            kind=EventKind.DEADMAN,
            severity=severity,
            subject=self.launcher.name,
            message=message,
        )
        add_events(self.store, (event,))


def _words(late: dict[str, datetime | None], error: str) -> str:
    if not late:
        return ""
    names = sorted(late)
    which = names[0] if len(names) == 1 else f"{len(names)} nodes ({names[0]}, ...)"
    ends = min((at for at in late.values() if at is not None), default=None)
    when = f"from {ends:%Y-%m-%d %H:%M} UTC on" if ends is not None else "when their leases run out"
    return f"the dead-man switch of {which} cannot be moved: {error}; they end themselves {when}"
