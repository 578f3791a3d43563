"""bouted's own price table, one row per offer: what its cells cannot mean is left out by name. Pure.

Columns: provider, region, instance_type, gpu, gpu_count, market, usd_per_hour are needed; zone, obtainable,
hazard_per_hour, observed_on, effective_on, currency, confidence, source, snapshot_utc may be left out or
empty. `usd_per_hour` is for the whole instance, in `currency` where that is given. Whether a price is
plausible is not judged here.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from bouted.catalog.names import catalog_gpu
from bouted.errors import SourceBroken
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer, Quote, Row

from .answering import Gathered
from .cells import Wrong, decimal, moment, whole
from .pricetable import Line, Table

NEEDED = ("provider", "region", "instance_type", "gpu", "gpu_count", "market", "usd_per_hour")
OPTIONAL = (
    "zone",
    "obtainable",
    "hazard_per_hour",
    "observed_on",
    "effective_on",
    "currency",
    "confidence",
    "source",
    "snapshot_utc",
)
UNDATED = "undated (2025-26)"
UNDATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
MOST_GPUS = 72
UNSAID = 1  # a row that does not say how many can be had is one contract


def check_header(table: Table) -> None:
    """SourceBroken when the columns are not those of a price table."""
    missing = [name for name in NEEDED if name not in table.columns]
    unknown = [name for name in table.columns if name not in (*NEEDED, *OPTIONAL)]
    if missing or unknown:
        what = (
            f"lacks {', '.join(missing)}" if missing else f"has {', '.join(unknown) or 'a nameless column'}"
        )
        columns = ", ".join((*NEEDED, *OPTIONAL))
        at = f"{table.file}:{table.header_line}"
        raise SourceBroken(f"{at}: the header {what[:200]}", hint=f"columns are {columns}")


def read_price_rows(
    table: Table, lines: Iterable[Line], *, source: str, undated_at: datetime, now: datetime
) -> Answer:
    """The quotes in these lines of the table, whose header is right.

    Quotes name `source` (and the row's own, after a colon) as where they come from. A row without a date was
    observed at `undated_at`; no observation is later than `now`.
    """
    gathered = Gathered(source)
    for line in lines:
        cells = table.named(line)
        where = f"line {line.number}: "
        try:
            row = _row(table, line)
            gathered.quote(_quote(row, cells, source, undated_at, now), where=where)
        except Wrong as wrong:
            gathered.refuse(cells, f"{where}{wrong}")
    return gathered.answer()


def _row(table: Table, line: Line) -> dict[str, str]:
    if len(line.cells) != len(table.columns):
        raise Wrong(f"{len(line.cells)} cells under {len(table.columns)} columns")
    if not all(cell.isprintable() for cell in line.cells):
        raise Wrong("holds a control character")
    row = dict(zip(table.columns, line.cells, strict=True))
    for name in NEEDED:
        if not row[name]:
            raise Wrong(f"no {name}")
    return row


def _quote(row: dict[str, str], cells: Row, source: str, undated_at: datetime, now: datetime) -> Quote:
    observed_on = row.get("observed_on", "")
    effective_on = row.get("effective_on", "")
    return Quote(
        provider=row["provider"],
        region=row["region"],
        zone=row.get("zone", ""),
        instance_type=row["instance_type"],
        gpu=catalog_gpu(row["gpu"]),
        gpu_count=whole(row["gpu_count"], "gpu_count", 1, MOST_GPUS),
        market=_market(row["market"]),
        price=decimal(row["usd_per_hour"], "usd_per_hour"),
        currency=_currency(row.get("currency") or "USD"),
        source=f"{source}: {row['source']}" if row.get("source") else source,
        observed_at=min(_observed_at(observed_on, undated_at), now),
        effective_at=min(moment(effective_on, "effective_on"), now) if effective_on else None,
        confidence=Confidence.LOW if observed_on == UNDATED else _confidence(row.get("confidence", "")),
        obtainable=whole(row["obtainable"], "obtainable", 0, 100_000) if row.get("obtainable") else UNSAID,
        hazard_per_hour=_hazard(row["hazard_per_hour"]) if row.get("hazard_per_hour") else None,
        row=cells,
    )


def _market(text: str) -> Market:
    if text == Market.OWNED:
        raise Wrong("owned machines are declared in the config, under supply.owned")
    if text not in (Market.SPOT, Market.ON_DEMAND):
        raise Wrong(f"market {text!r} is neither spot nor on_demand")
    return Market(text)


def _currency(text: str) -> str:
    if not (len(text) == 3 and text.isascii() and text.isalpha()):
        raise Wrong(f"currency {text[:40]!r} is no code like USD")
    return text.upper()


def _hazard(text: str) -> float:
    hazard = decimal(text, "hazard_per_hour")
    if not 0 <= hazard <= 1:
        raise Wrong(f"hazard_per_hour {hazard} is not between 0 and 1")
    return float(hazard)


def _confidence(text: str) -> Confidence:
    if text and text not in tuple(Confidence):
        raise Wrong(f"confidence {text!r} is none of {', '.join(Confidence)}")
    return Confidence(text or Confidence.MEDIUM)


def _observed_at(text: str, undated_at: datetime) -> datetime:
    if not text:
        return undated_at
    return UNDATED_AT if text == UNDATED else moment(text, "observed_on")
