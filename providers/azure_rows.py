"""Azure's price list: from rows to quotes, one per offer. Pure.

The list has several meters for one size: Windows, Low Priority, reservations, dev/test. Only what a Linux VM
pays by the hour is read. Where meters are left that disagree, one is taken by a fixed rule, and the others
are told as not read: the price never flips because the list came in another order.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Row, Unread

from .azure_sizes import SIZES, is_gpu_size
from .json_rows import JsonRow, Odd, read_each

COLUMNS = (
    "armSkuName", "armRegionName", "retailPrice", "currencyCode", "unitOfMeasure", "type", "meterName",
    "skuName", "productName", "effectiveStartDate", "isPrimaryMeterRegion", "meterId",
)  # fmt: skip
HOUR = "1 Hour"
_OTHER_PRODUCTS = (" win", "cloud services", "cloudservices", "dedicated", "dev/test")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One meter's claim, and what decides between meters that claim the same offer."""

    quote: Quote
    primary: bool
    starts_at: datetime | None
    name: str
    row: Row


def read_rows(
    items: Iterable[Any], now: datetime, *, source: str
) -> tuple[tuple[Quote, ...], tuple[Unread, ...]]:
    """The quotes in these rows, by id, and the rows not read. A row that comes twice counts once."""
    meters, unread = read_each(source, items, COLUMNS, lambda row: _meters(row, now, source))
    rivals: dict[str, list[Meter]] = defaultdict(list)
    for meter in meters:
        rivals[meter.quote.id].append(meter)
    quotes = []
    for name in sorted(rivals):
        best = max(rivals[name], key=lambda meter: _standing(meter, now))
        quotes.append(best.quote)
        unread += [_passed_over(one, best, source) for one in _others(rivals[name], best)]
    return tuple(quotes), tuple(unread)


def _meters(row: JsonRow, now: datetime, source: str) -> tuple[Meter, ...]:
    """What the row claims: nothing where it is about something else, Odd where it cannot be read."""
    if row.blank("armSkuName"):
        return ()
    size_name = row.text("armSkuName")
    if not is_gpu_size(size_name) or _is_other(row):
        return ()
    size = SIZES.get(size_name)
    if size is None:
        raise Odd(f"which GPUs {size_name} has is not known here")
    unit = row.text("unitOfMeasure")
    if unit != HOUR:
        raise Odd(f"priced by {unit}, not by {HOUR}")
    starts_at = _when(row)
    name = row.text("meterName")
    spot = "spot" in f"{name} {row.hint('skuName')}".lower()
    quote = Quote(
        provider="azure",
        region=row.text("armRegionName"),
        zone="",
        instance_type=size.name,
        gpu=size.gpu,
        gpu_count=size.gpu_count,
        market=Market.SPOT if spot else Market.ON_DEMAND,
        price=row.number("retailPrice"),
        currency=row.text("currencyCode"),
        source=source,
        observed_at=now,
        effective_at=min(starts_at, now) if starts_at else None,
        confidence=Confidence.HIGH,
        obtainable=None,
        hazard_per_hour=None,
        row=row.cells(COLUMNS),
    )
    primary = row.has("isPrimaryMeterRegion") and row.flag("isPrimaryMeterRegion")
    return (Meter(quote=quote, primary=primary, starts_at=starts_at, name=name, row=row.cells(COLUMNS)),)


def _is_other(row: JsonRow) -> bool:
    """Whether the row is about another product than a Linux VM paid by the hour."""
    if row.hint("type") not in ("", "Consumption"):
        return True
    product = f" {row.hint('productName')}".lower()
    names = f"{row.hint('meterName')} {row.hint('skuName')}".lower()
    return "low priority" in names or any(word in product for word in _OTHER_PRODUCTS)


def _when(row: JsonRow) -> datetime | None:
    if not row.has("effectiveStartDate"):
        return None
    text = row.text("effectiveStartDate")
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Odd(f"effectiveStartDate {text[:40]!r} is no time") from error


def _standing(meter: Meter, now: datetime) -> tuple[bool, bool, datetime, str, str]:
    """The region's own meter first, then one that holds already, then the newest; then any fixed order.

    Not every size has a primary meter, so the others are not left out.
    """
    starts_at = meter.starts_at or _EPOCH
    return (
        meter.primary,
        starts_at <= now,
        starts_at,
        dict(meter.row).get("meterId", ""),
        str(meter.quote.price),
    )


def _others(meters: list[Meter], best: Meter) -> list[Meter]:
    """The meters that say something else than the best one, each price once."""
    seen = {(best.quote.price, best.quote.currency)}
    others = []
    for meter in meters:
        said = (meter.quote.price, meter.quote.currency)
        if said not in seen:
            seen.add(said)
            others.append(meter)
    return others


def _passed_over(meter: Meter, best: Meter, source: str) -> Unread:
    told = f"meter {best.name} at {best.quote.price} is taken for {best.quote.id}"
    return Unread(source=source, row=meter.row, reason=told)
