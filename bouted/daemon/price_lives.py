"""How long the prices that a plan may rest on are expected to hold, learned from their histories."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from bouted.market.offers import Market, Offer
from bouted.planner.terms import PriceLife
from bouted.store.open import Store
from bouted.store.spread import Dwell, dwell_of

MOST_PER_GPU = 3
"""Offers looked up for each GPU type and market: a plan seldom rests on dearer ones."""
LEAST_ENDED = 3
"""Prices whose end must have been seen: one short life does not make a restless market."""


def price_lives(
    store: Store, offers: tuple[Offer, ...], held: Collection[str], least_h: float, now: datetime
) -> tuple[PriceLife, ...]:
    """The lives, by offer id, of the prices `held` now and of the cheapest of each GPU and market.

    A median life that enough prices have shown is given as it is. Any other is given only where it is above
    `least_h` hours, what is taken for granted; else the offer is left out.
    """
    lives = ((offer_id, dwell_of(store, offer_id, now)) for offer_id in sorted({*held, *_cheapest(offers)}))
    return tuple(
        PriceLife(offer_id=offer_id, hours=dwell.life / timedelta(hours=1))
        for offer_id, dwell in lives
        if dwell is not None and (_known(dwell) or dwell.life > timedelta(hours=least_h))
    )


def _known(dwell: Dwell) -> bool:
    return not dwell.at_least and dwell.ended >= LEAST_ENDED


def _cheapest(offers: tuple[Offer, ...]) -> set[str]:
    kinds: dict[tuple[str, Market], list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.market is not Market.OWNED:
            kinds[offer.gpu, offer.market].append(offer)
    return {
        offer.id
        for kind in kinds.values()
        for offer in sorted(kind, key=lambda one: (one.usd_per_hour / one.gpu_count, one.id))[:MOST_PER_GPU]
    }
