"""Learns, once after a start, what prices were before the daemon looked."""

import logging
from collections import defaultdict
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from bouted.clock import Clock
from bouted.errors import BoutedError, Gone, NotConfigured
from bouted.market.alone import USD
from bouted.market.asking import in_thread
from bouted.market.quotes import Quote
from bouted.market.source import Feed, KnowsPast
from bouted.store.backfill import backfill
from bouted.store.open import Store
from bouted.store.prices import PricePoint

log = logging.getLogger(__name__)

BACK = timedelta(days=14)


@dataclass(slots=True)
class PastKeeper:
    """Asks each source that knows its past once, and adds what the store did not know."""

    store: Store
    clock: Clock
    asked: dict[str, "Future[tuple[Quote, ...]] | None"] = field(default_factory=dict)

    def tick(self, feeds: tuple[Feed, ...]) -> int:
        """Ask who was not asked, take in who has answered; how many past prices were new. Never waits."""
        new = 0
        for feed in feeds:
            name, source = feed.source.name, feed.source
            if name not in self.asked and isinstance(source, KnowsPast):
                now = self.clock.now()
                self.asked[name] = in_thread(partial(source.spot_history, now, now - BACK), f"past:{name}")
            future = self.asked.get(name)
            if future is not None and future.done():
                self.asked[name] = None
                new += self._take(name, future)
        return new

    def _take(self, name: str, future: "Future[tuple[Quote, ...]]") -> int:
        try:
            quotes = future.result()
        except NotConfigured:
            return 0
        except BoutedError as error:
            log.warning("past prices from %s: %s", name, error)
            return 0
        except Exception:  # the edge of a thread: a plug-in's bug must not take the daemon along
            log.exception("past prices from %s", name)
            return 0
        points: dict[str, list[PricePoint]] = defaultdict(list)
        for quote in quotes:
            if quote.price > 0 and quote.currency == USD:
                points[quote.id].append(_point(quote))
        added = sum(self._add(name, offer, past) for offer, past in points.items())
        log.info("past prices from %s: %d that were not known", name, added)
        return added

    def _add(self, name: str, offer: str, past: list[PricePoint]) -> int:
        try:
            return backfill(self.store, offer, past, source=name, now=self.clock.now())
        except Gone:  # never offered since: nothing to compare its past with
            return 0


def _point(quote: Quote) -> PricePoint:
    at: datetime = quote.effective_at or quote.observed_at
    return PricePoint(at=at, usd_per_hour=quote.price)
