"""Listens for what clouds say about machines they take, and keeps it where the fleet is read from."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from bouted.clock import Clock
from bouted.errors import BoutedError, NotConfigured
from bouted.events import Event, EventKind, Severity
from bouted.market.asking import in_thread
from bouted.market.notices import Notice, NoticeKind
from bouted.market.source import Feed, Notices
from bouted.reconcile.patience import Patience
from bouted.store.notices import keep_notices, nodes_of
from bouted.store.open import Store

log = logging.getLogger(__name__)

WAIT_S = 20.0  # of one long poll
EMPTY_S, FAILED_S, IDLE_S = 5.0, 60.0, 3600.0  # pauses after a poll that gave nothing, failed, was not set up
_TOLD = {
    NoticeKind.INTERRUPTION: "will be taken",
    NoticeKind.REBALANCE: "may be taken soon",
    NoticeKind.PREEMPTED: "was taken",
}


@dataclass(slots=True)
class NoticeKeeper:
    """One long poll per source that has notices, always under way. What came is stored, then acknowledged."""

    store: Store
    clock: Clock
    start: Callable[[Notices, str], "Future[tuple[Notice, ...]]"] = lambda source, name: in_thread(
        partial(source.notices, WAIT_S), f"notices:{name}"
    )
    listening: dict[str, "Future[tuple[Notice, ...]]"] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    pauses: Patience = field(default_factory=Patience)

    def tick(self, feeds: tuple[Feed, ...]) -> tuple[Notice, ...]:
        """Take in what came since the last call, and go on listening. Never waits."""
        heard: list[Notice] = []
        for feed in feeds:
            if isinstance(feed.source, Notices):
                heard += self._hear(feed.source, feed.source.name)
        return tuple(heard)

    def _hear(self, source: Notices, name: str) -> tuple[Notice, ...]:
        future = self.listening.pop(name, None)
        if future is not None and not future.done():
            self.listening[name] = future
            return ()
        notices = self._taken(source, name, future) if future is not None else ()
        if not self.pauses.waits(name, self.clock.now()):
            self.listening[name] = self.start(source, name)
        return notices

    def _pause(self, name: str, seconds: float) -> None:
        self.pauses.rest(name, self.clock.now(), seconds)

    def _taken(self, source: Notices, name: str, future: "Future[tuple[Notice, ...]]") -> tuple[Notice, ...]:
        try:
            notices = future.result()
            if not notices:
                self._pause(name, EMPTY_S)
            else:
                self._keep(notices)
                source.acknowledge(notices)
        except NotConfigured:
            self._pause(name, IDLE_S)
            return ()
        except BoutedError as error:
            if name not in self.failing:  # once, until it works again
                log.warning("notices from %s: %s", name, error)
            self.failing.add(name)
            self._pause(name, FAILED_S)
            return ()
        except Exception:  # the edge of a thread: a plug-in's bug must not take the daemon along
            log.exception("notices from %s", name)
            self._pause(name, IDLE_S)
            return ()
        self.failing.discard(name)
        return notices

    def _keep(self, notices: tuple[Notice, ...]) -> None:
        """From now on the fleet's rows say which nodes go, and when."""
        nodes = nodes_of(self.store, {notice.instance for notice in notices})
        events = tuple(self._event(notice, nodes.get(notice.instance, "")) for notice in notices)
        keep_notices(self.store, notices, events, self.clock.now())

    def _event(self, notice: Notice, node: str) -> Event:
        severity = Severity.INFO if notice.kind is NoticeKind.REBALANCE else Severity.WARNING
        at = f" at {notice.deadline:%H:%M:%S} UTC" if notice.deadline else ""
        where = f"{notice.provider}/{notice.zone or notice.region}"
        what = f"{node} ({notice.instance})" if node not in ("", notice.instance) else notice.instance
        message = f"{notice.provider} says that {what} in {where} {_TOLD[notice.kind]}{at}"
        return Event(
            at=self.clock.now(),
            kind=EventKind.NOTICE,
            severity=severity,
            subject=node or notice.instance,
            message=message,
        )
