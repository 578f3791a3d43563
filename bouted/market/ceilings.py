"""Spot against on-demand: no spot price is above what the same instance costs on demand in its place."""

from collections.abc import Iterable
from decimal import Decimal

from bouted.market.alone import Verdict
from bouted.market.doubt import Doubt
from bouted.market.offers import Market
from bouted.market.quotes import Quote

Place = tuple[str, str, str, str]


class Ceilings:
    """On-demand prices by provider, type and place, from quotes in the order of trust, the best last."""

    def __init__(self, quotes: Iterable[Quote]) -> None:
        self._found: dict[Place, Decimal] = {}
        for quote in quotes:
            if quote.market is Market.ON_DEMAND:
                kind = (quote.provider, quote.instance_type)
                self._found[(*kind, quote.region, quote.zone)] = quote.price
                self._found[(*kind, quote.region, "")] = quote.price

    def over(self, quote: Quote) -> Decimal | None:
        """The on-demand price of the quote's instance in its zone, else in its region."""
        kind = (quote.provider, quote.instance_type)
        zone = (*kind, quote.region, quote.zone)
        return self._found.get(zone, self._found.get((*kind, quote.region, "")))

    def doubt(self, quote: Quote) -> Verdict | None:
        """The doubt about a spot quote that is dearer than on-demand."""
        limit = self.over(quote) if quote.market is Market.SPOT else None
        if limit is None or quote.price <= limit:
            return None
        return Doubt.SPOT_ABOVE_ON_DEMAND, f"spot at {quote.price} is above on-demand at {limit}"

    def no_discount(self, quote: Quote) -> bool:
        """Whether spot costs what on-demand does: a price that says nothing about capacity."""
        return quote.market is Market.SPOT and quote.price == self.over(quote)
