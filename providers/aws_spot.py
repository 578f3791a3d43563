"""Spot prices as AWS tells them: one row per change, instance type and zone."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Unread

from .aws_read import moment_of, price_of, row_of, text_of
from .aws_specs import Spec

PRODUCT = "Linux/UNIX"
_ZONE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotPage:
    """Where and when rows were asked for, and what is needed to read them.

    `zone_ids` has the ids of zones by their names, which differ between accounts.
    """

    source: str
    region: str
    specs: Mapping[str, Spec]
    zone_ids: Mapping[str, str]
    now: datetime


def names_zones_only(rows: Iterable[object]) -> bool:
    """Whether some row says its zone by name alone, so that zone ids have to be asked for."""
    return any(text_of(row, "AvailabilityZone") and not text_of(row, "AvailabilityZoneId") for row in rows)


def read_spot(rows: Iterable[object], page: SpotPage) -> tuple[tuple[Quote, ...], tuple[Unread, ...]]:
    """Every price change that can be read, oldest first, and the rows that cannot. Only types with a spec."""
    quotes: list[Quote] = []
    unread: list[Unread] = []
    for row in rows:
        found = _read(row, page)
        if isinstance(found, Quote):
            quotes.append(found)
        elif found:
            unread.append(Unread(source=page.source, row=row_of(row), reason=found))
    return tuple(sorted(quotes, key=_age)), tuple(unread)


def in_force(quotes: Iterable[Quote]) -> tuple[Quote, ...]:
    """The newest of each offer, from quotes that come oldest first."""
    return tuple({quote.id: quote for quote in quotes}.values())


def _age(quote: Quote) -> tuple[datetime, str]:
    return quote.effective_at or quote.observed_at, quote.id


def _read(row: object, page: SpotPage) -> Quote | str | None:
    """The quote; None for a type that is not for us; what is wrong with the row, in a line."""
    instance_type = text_of(row, "InstanceType")
    if not instance_type:
        return "no instance type"
    spec = page.specs.get(instance_type)
    if spec is None:
        return None
    if (product := text_of(row, "ProductDescription")) != PRODUCT:
        return f"a price for {product!r}, not {PRODUCT!r}"
    zone = text_of(row, "AvailabilityZoneId")
    zone = zone or page.zone_ids.get(text_of(row, "AvailabilityZone"), "")
    if not _ZONE_ID.fullmatch(zone):
        return "no zone id"
    price = price_of(text_of(row, "SpotPrice"))
    if price is None:
        return "no price, or one that is no number"
    since = moment_of(text_of(row, "Timestamp"))
    if since is None:
        return "no time, or one that is no date"
    currency = "CNY" if page.region.startswith("cn-") else "USD"  # rows do not say; AWS bills in these
    return Quote(
        provider="aws", region=page.region, zone=zone, instance_type=instance_type, gpu=spec.gpu,
        gpu_count=spec.gpu_count, market=Market.SPOT, price=price, currency=currency, source=page.source,
        observed_at=page.now, effective_at=since, confidence=Confidence.HIGH,
        obtainable=None, hazard_per_hour=None, row=row_of(row),
    )  # fmt: skip
