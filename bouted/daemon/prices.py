"""Keeps the market: asks the sources, remembers what they said, prices the fleet anew."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from bouted.clock import Clock
from bouted.config.schema import Config
from bouted.errors import SourceBroken
from bouted.market.allowed import allowed_offers
from bouted.market.collect import collect_market
from bouted.market.offers import MarketSnapshot, Offer
from bouted.market.source import PriceSource
from bouted.store.events import add_events
from bouted.store.fleet import load_fleet
from bouted.store.open import Store
from bouted.store.prices import record_offers
from bouted.store.spend import reprice


@dataclass(slots=True)
class MarketKeeper:
    """Holds the last snapshot."""

    store: Store
    clock: Clock
    sources: tuple[PriceSource, ...]
    snapshot: MarketSnapshot | None = field(default=None)

    async def refresh(self, config: Config) -> None:
        """Ask every source once; what fails keeps its last prices."""
        collected = await asyncio.to_thread(
            collect_market,
            self.sources,
            self.snapshot,
            self.clock.now(),
            timeout_s=config.prices.timeout_s,
        )
        now = self.clock.now()
        add_events(self.store, collected.events)
        record_offers(self.store, collected.snapshot.offers, now)
        self._reprice(collected.snapshot, now)
        self.snapshot = collected.snapshot

    def require_sound(self) -> None:
        """SourceBroken when a source needs a person: a daemon must not start on a file it cannot read."""
        broken = [s for s in self.snapshot.stale if s.needs_person] if self.snapshot is not None else []
        if broken:
            raise SourceBroken("; ".join(source.error for source in broken))

    def offers(self, config: Config) -> tuple[Offer, ...]:
        """What may be rented now: allowed offers, and the machines the config lists as owned."""
        if self.snapshot is None:
            return ()
        owned = config.owned_offers(self.snapshot.taken_at)
        return allowed_offers((*self.snapshot.offers, *owned), config.supply_rules())

    def stale(self) -> tuple[str, ...]:
        """Sources that gave nothing last time, each with its error."""
        if self.snapshot is None:
            return ()
        return tuple(f"{source.name}: {source.error}" for source in self.snapshot.stale)

    def _reprice(self, snapshot: MarketSnapshot, now: datetime) -> None:
        """A running node costs what its offer costs now."""
        prices = {offer.id: offer.usd_per_hour for offer in snapshot.offers}
        for node in load_fleet(self.store, now).nodes:
            price = prices.get(node.offer.id)
            if node.paid and price is not None and price != node.offer.usd_per_hour:
                reprice(self.store, node.name, price, now)
