"""Where `bouted perf --all` takes prices from: the deployment here, else the dated snapshot that ships."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bouted import plugins
from bouted.cli.place import Place
from bouted.errors import Misconfigured
from bouted.market.belief import Said, Trust
from bouted.market.believe import believe
from bouted.market.offers import Offer

SHIPPED = "the dated snapshot that ships"


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedBy:
    """Offers that are believed, and whose word that is."""

    offers: tuple[Offer, ...]
    told_by: str


def offers_at(place: Place, now: datetime) -> PricedBy:
    """What the deployment here believes; the shipped snapshot where there is none, or no price yet."""
    from bouted.store.read_prices import read_offers

    try:
        url = place.database_url()
    except Misconfigured:  # no deployment here
        return PricedBy(offers=_shipped(now), told_by=SHIPPED)
    offers = read_offers(url)
    if offers:
        return PricedBy(offers=offers, told_by="the deployment here")
    return PricedBy(offers=_shipped(now), told_by=SHIPPED)


def _shipped(now: datetime) -> tuple[Offer, ...]:
    source = plugins.load("bouted.prices", "snapshot").from_config({}, config_dir=Path.cwd())
    said = Said(name=source.name, rank=source.rank, quotes=source.fetch(now).quotes, whole=True)
    return believe((said,), {}, Trust(), now).offers
