"""Vast's live offers: from listings of single machines to quotes, one per kind, country and market. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from bouted.catalog.names import catalog_gpu
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Unread

from .json_rows import JsonRow, Odd, read_each
from .marketplace_names import rented_name

COLUMNS = (
    "id", "machine_id", "gpu_name", "num_gpus", "gpu_ram", "geolocation", "dph_base", "min_bid", "dph_total",
    "reliability2", "verification", "rentable",
)  # fmt: skip
MB_PER_GIB = 1024
# Vast scores a machine by the share of time it is up. An outage is taken to last a day, which is a guess: a
# machine that is up 99 % of the time is then lost once in a hundred days.
OUTAGE_H = 24
_COUNTRY = re.compile(r"^[A-Z]{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One machine on one market, as a quote that has it as the only one; `number` is Vast's id of it."""

    number: str
    quote: Quote


def read_offers(
    items: Iterable[Any], now: datetime, *, source: str
) -> tuple[tuple[Quote, ...], tuple[Unread, ...]]:
    """Of each kind, country and market the cheapest machine, with how many there are; and what was not read.

    A machine that is listed twice counts once.
    """
    listings, unread = read_each(source, items, COLUMNS, lambda row: _listings(row, now, source))
    kinds: dict[str, dict[str, Listing]] = defaultdict(dict)
    for one in listings:
        kinds[one.quote.id][one.number] = one
    quotes = []
    for kind in sorted(kinds):
        cheapest = min(kinds[kind].values(), key=lambda one: (one.quote.price, one.number))
        quotes.append(replace(cheapest.quote, obtainable=len(kinds[kind])))
    return tuple(quotes), tuple(unread)


def _listings(row: JsonRow, now: datetime, source: str) -> tuple[Listing, ...]:
    """The markets that this machine is offered on; none where it cannot be rented or is unverified."""
    if not _offered(row) or row.whole("num_gpus", 0, 72) == 0:
        return ()
    number = str(row.whole("id", 0, 10**12))
    quote = _on_demand(row, now, source)
    if quote.price <= 0:
        raise Odd(f"dph_base {quote.price} is no price, and would be the cheapest")
    listings = [Listing(number=number, quote=quote)]
    bid = row.number("min_bid") if row.has("min_bid") else Decimal(0)
    if bid < 0:
        raise Odd(f"min_bid {bid} is no price, and would be the cheapest")
    if bid > 0:  # 0 says that it is not offered interruptible
        spot = replace(quote, market=Market.SPOT, price=bid, hazard_per_hour=None)
        listings.append(Listing(number=number, quote=spot))
    return tuple(listings)


def _offered(row: JsonRow) -> bool:
    """Whether it is free to rent and verified. Vast was asked for such only, and may leave out to say so."""
    if row.has("rentable") and not row.flag("rentable"):
        return False
    if row.has("rented") and row.flag("rented"):
        return False
    if row.has("verified") and not row.flag("verified"):
        return False
    return not row.has("verification") or row.text("verification") == "verified"


def _on_demand(row: JsonRow, now: datetime, source: str) -> Quote:
    name = row.text("gpu_name")
    count = row.whole("num_gpus", 1, 72)
    memory_gib = float(row.number("gpu_ram")) / MB_PER_GIB
    return Quote(
        provider="vast",
        region=country(row.text("geolocation")),
        zone="",
        instance_type=rented_name(name, count, memory_gib),
        gpu=catalog_gpu(name, memory_gib),
        gpu_count=count,
        market=Market.ON_DEMAND,
        price=row.number("dph_base"),
        currency="USD",
        source=source,
        observed_at=now,
        effective_at=None,
        confidence=Confidence.MEDIUM,
        obtainable=1,
        hazard_per_hour=_hazard_per_hour(row),
        row=row.cells(COLUMNS),
    )


def country(geolocation: str) -> str:
    """The country's two letters, from "Texas, US", "Georgia, US, NA" or "SE"."""
    for part in geolocation.split(","):
        if _COUNTRY.match(part.strip()):
            return part.strip()
    raise Odd(f"geolocation {geolocation[:40]!r} names no country")


def _hazard_per_hour(row: JsonRow) -> float | None:
    """The odds of losing the machine in an hour, from its score; None where it has none."""
    if not row.has("reliability2"):
        return None
    up = row.number("reliability2")
    if not 0 <= up <= 1:
        raise Odd(f"reliability2 {up} is no share of the time")
    return float(1 - up) / OUTAGE_H
