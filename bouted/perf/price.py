"""What the GPUs of a replica cost in an hour: the cheapest whole instance, shared out over its GPUs. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bouted.market.offers import Market, Offer
from bouted.perf.shapes import ReplicaShape

MARKETS = (Market.ON_DEMAND, Market.SPOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a replica costs on one market, by the offer it would be rented from."""

    offer: Offer
    usd_per_hour: Decimal


def prices_of(shape: ReplicaShape, offers: Iterable[Offer]) -> tuple[Price, ...]:
    """The cheapest price of `shape` on each market that has one, on-demand first.

    An instance counts when such replicas fill it: each pays for its own GPUs. Hardware that is owned has
    no price.
    """
    found = []
    fitting = [one for one in offers if one.gpu == shape.gpu and one.gpu_count % shape.gpu_count == 0]
    for market in MARKETS:
        on_market = [one for one in fitting if one.market is market]
        if on_market:
            best = min(on_market, key=lambda one: (usd_per_gpu_hour(one), one.id))
            found.append(Price(offer=best, usd_per_hour=usd_per_gpu_hour(best) * shape.gpu_count))
    return tuple(found)


def usd_per_gpu_hour(offer: Offer) -> Decimal:
    """Dollars an hour for one of the instance's GPUs."""
    return offer.usd_per_hour / offer.gpu_count
