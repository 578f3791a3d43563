"""Offers at what their cloud bills, where its own bills were found to differ from what it quotes."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from bouted.market.offers import Market, Offer


def as_billed(offer: Offer, factors: Mapping[str, Decimal]) -> Offer:
    """The offer at what is billed for each dollar quoted, by the clouds' names; the quote stays with it.

    Machines of one's own cost what the config says. Applying it again, or with other factors, starts from the
    quote.
    """
    factor = factors.get(offer.provider, Decimal(1))
    if factor == 1 or offer.market is Market.OWNED:
        return replace(offer, usd_per_hour=offer.quoted, quoted_usd_per_hour=None)
    return replace(offer, usd_per_hour=offer.quoted * factor, quoted_usd_per_hour=offer.quoted)
