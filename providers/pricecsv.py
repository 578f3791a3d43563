"""Prices in CSV, one row per offer: read strictly, wrong rows dropped by name.

Columns: provider, region, instance_type, gpu, gpu_count, market, usd_per_hour are needed; zone, obtainable,
hazard_per_hour, observed_on, confidence, source may be left out or empty.
"""

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from io import StringIO

from bouted.errors import SourceBroken
from bouted.market.offers import Confidence, Market, Offer

NEEDED = ("provider", "region", "instance_type", "gpu", "gpu_count", "market", "usd_per_hour")
OPTIONAL = ("zone", "obtainable", "hazard_per_hour", "observed_on", "confidence", "source")
UNDATED = "undated (2025-26)"
UNDATED_AT = datetime(2026, 1, 1, tzinfo=UTC)

# Above any price seen, so that a price per month or in cents is caught.
MOST_USD_PER_GPU_HOUR = Decimal(100)
MOST_GPUS = 72

# Where a row is silent: one can be had; spot is lost about once a day, on-demand about never.
DEFAULT_OBTAINABLE = "1"
DEFAULT_HAZARD_PER_HOUR = {Market.SPOT: "0.05", Market.ON_DEMAND: "0.0005"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that was dropped, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """The offers of one file, and the rows left out."""

    offers: tuple[Offer, ...]
    rejected: tuple[Rejected, ...]


class _Wrong(Exception):
    """Why a row is dropped."""


def read_price_table(text: str, *, file: str, source: str, undated_at: datetime, now: datetime) -> PriceTable:
    """The offers in `text`; SourceBroken naming file and line when it is no price table or no row is right.

    Offers name `source` (and the row's own, after a colon) as where they come from. A row without a date was
    observed at `undated_at`; no observation is later than `now`.
    """
    offers: dict[int, Offer] = {}
    rejected: list[Rejected] = []
    lines: dict[str, int] = {}
    header, rows = _table(text, file)
    for line, cells in rows:
        try:
            offer = _offer(_row(header, cells), source, undated_at, now)
            if offer.id in lines:
                raise _Wrong(f"{offer.id} again, first on line {lines[offer.id]}")
        except _Wrong as wrong:
            rejected.append(Rejected(line=line, reason=str(wrong)))
        else:
            lines[offer.id] = line
            offers[line] = offer
    for line, reason in _spot_not_cheaper(offers):
        rejected.append(Rejected(line=line, reason=reason))
        del offers[line]
    rejected.sort(key=lambda one: one.line)
    if not offers:
        first = f"; line {rejected[0].line}: {rejected[0].reason}" if rejected else ""
        raise SourceBroken(f"{file}: no usable price{first}", hint="one row per offer under the header")
    return PriceTable(offers=tuple(offers.values()), rejected=tuple(rejected))


def _table(text: str, file: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and (line, cells) of every row that is not blank or a comment; SourceBroken if no table."""
    reader = csv.reader(StringIO(text.removeprefix("\ufeff")), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not stripped[0].startswith("#"):
                rows.append((reader.line_num, stripped))
    except csv.Error as error:
        at = f"{file}:{reader.line_num}"
        raise SourceBroken(f"{at}: not CSV: {error}", hint="save it as plain CSV") from error
    if not rows:
        hint = f"the first row names the columns: {', '.join(NEEDED)}"
        raise SourceBroken(f"{file}:1: the file is empty", hint=hint)
    line, header = rows.pop(0)
    _check_header(header, file, line)
    return header, rows


def _check_header(header: list[str], file: str, line: int) -> None:
    missing = [name for name in NEEDED if name not in header]
    unknown = [name for name in header if name not in (*NEEDED, *OPTIONAL)]
    if missing or unknown or len(set(header)) != len(header):
        what = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(unknown) or 'a column twice'}"
        columns = ", ".join((*NEEDED, *OPTIONAL))
        raise SourceBroken(f"{file}:{line}: the header {what[:200]}", hint=f"columns are {columns}")


def _row(header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise _Wrong(f"{len(cells)} cells under {len(header)} columns")
    if not all(cell.isprintable() for cell in cells):
        raise _Wrong("holds a control character")
    row = dict(zip(header, cells, strict=True))
    for name in NEEDED:
        if not row[name]:
            raise _Wrong(f"no {name}")
    return row


def _offer(row: dict[str, str], source: str, undated_at: datetime, now: datetime) -> Offer:
    market = _market(row["market"])
    gpu_count = _whole(row["gpu_count"], "gpu_count", 1, MOST_GPUS)
    price = _decimal(row["usd_per_hour"], "usd_per_hour")
    if price <= 0:
        raise _Wrong(f"usd_per_hour {price} is not above 0")
    if price > MOST_USD_PER_GPU_HOUR * gpu_count:
        raise _Wrong(f"usd_per_hour {price} is more than ${MOST_USD_PER_GPU_HOUR} an hour per GPU")
    observed_on = row.get("observed_on", "")
    hazard = _decimal(row.get("hazard_per_hour") or DEFAULT_HAZARD_PER_HOUR[market], "hazard_per_hour")
    if not 0 <= hazard <= 1:
        raise _Wrong(f"hazard_per_hour {hazard} is not between 0 and 1")
    return Offer(
        provider=row["provider"],
        region=row["region"],
        zone=row.get("zone", ""),
        instance_type=row["instance_type"],
        gpu=row["gpu"],
        gpu_count=gpu_count,
        market=market,
        usd_per_hour=price,
        obtainable=_whole(row.get("obtainable") or DEFAULT_OBTAINABLE, "obtainable", 0, 100_000),
        hazard_per_hour=float(hazard),
        source=f"{source}: {row['source']}" if row.get("source") else source,
        observed_at=min(_observed_at(observed_on, undated_at), now),
        confidence=Confidence.LOW if observed_on == UNDATED else _confidence(row.get("confidence", "")),
    )


def _market(text: str) -> Market:
    if text == Market.OWNED:
        raise _Wrong("owned machines are declared in the config, under supply.owned")
    if text not in (Market.SPOT, Market.ON_DEMAND):
        raise _Wrong(f"market {text!r} is neither spot nor on_demand")
    return Market(text)


def _confidence(text: str) -> Confidence:
    if text and text not in tuple(Confidence):
        raise _Wrong(f"confidence {text!r} is none of {', '.join(Confidence)}")
    return Confidence(text or Confidence.MEDIUM)


def _observed_at(text: str, undated_at: datetime) -> datetime:
    if not text:
        return undated_at
    if text == UNDATED:
        return UNDATED_AT
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise _Wrong(f"observed_on {text!r} is no date like 2026-04-30") from error


def _decimal(text: str, column: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise _Wrong(f"{column} {text[:40]!r} is no number") from error
    if not value.is_finite() or abs(value.adjusted()) > 12:
        raise _Wrong(f"{column} {text[:40]!r} is no usable number")
    return value


def _whole(text: str, column: str, least: int, most: int) -> int:
    value = _decimal(text, column)
    if value != value.to_integral_value() or not least <= value <= most:
        raise _Wrong(f"{column} {text[:40]!r} is no whole number from {least} to {most}")
    return int(value)


def _spot_not_cheaper(offers: dict[int, Offer]) -> list[tuple[int, str]]:
    """Spot rows at or above the on-demand price of the same instance: in their zone, else in their region."""
    on_demand: dict[tuple[str, str, str, str], Decimal] = {}
    for offer in offers.values():
        if offer.market is Market.ON_DEMAND:
            for zone in {offer.zone, ""}:
                key = (offer.provider, offer.region, offer.instance_type, zone)
                on_demand[key] = min(on_demand.get(key, offer.usd_per_hour), offer.usd_per_hour)
    found = []
    for line, offer in offers.items():
        place = (offer.provider, offer.region, offer.instance_type)
        price = on_demand.get((*place, offer.zone), on_demand.get((*place, "")))
        if offer.market is Market.SPOT and price is not None and offer.usd_per_hour >= price:
            found.append((line, f"spot at {offer.usd_per_hour} is not below on-demand at {price}"))
    return found
