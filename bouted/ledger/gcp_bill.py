"""Google Cloud's detailed billing export from BigQuery, as rows of JSON or as a CSV with flat columns."""

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from bouted.ledger.bill_rows import Row
from bouted.ledger.bills import BillLine

ALWAYS = ("usage_start_time", "cost")
"""Columns that every row of JSON has; empty ones are left out there."""

NEEDED = (*ALWAYS, "usage_end_time", "sku_description", "resource_name")
_INSTANCE = re.compile(r"\b(Core|Ram|RAM|GPU|Local (SSD|Storage))\b")
_DISCOUNTS = re.compile(r"(COMMITTED|SUSTAINED)_USAGE_DISCOUNT|DISCOUNT")
"""Credits that are part of the price; promotions, free tiers and the like are not."""


def flat(cells: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Nested records as columns: `{"sku": {"id": ..}}` and `sku.id` both become `sku_id`."""
    for name, value in cells.items():
        column = f"{under}{name}".replace(".", "_")
        if isinstance(value, dict):
            yield from flat(value, f"{column}_")
        else:
            yield column, value


def is_export(columns: Collection[str]) -> bool:
    """Whether these are the columns of a billing export."""
    return "usage_start_time" in columns


def lines(rows: Iterator[Row], usd_per: Mapping[str, Decimal]) -> Iterator[BillLine]:
    """What each row asks for an instance: its cores, memory, GPUs and local disks; other rows give nothing.

    `usd_per` is what other currencies are worth, where a row does not say. Misconfigured, by file and row,
    for what cannot be read.
    """
    for row in rows:
        kind = row.text("cost_type") or "regular"
        if kind != "regular" or not _INSTANCE.search(row.text("sku_description")):
            continue
        start, end = row.period("usage_start_time", "usage_end_time")
        yield BillLine(
            provider="gcp",
            names=tuple(_names(row)),
            start=start,
            end=end,
            usd=(row.amount("cost") + _credits(row)) / _rate(row, usd_per),
        )


def _names(row: Row) -> Iterator[str]:
    yield row.text("resource_name").rpartition("/")[2]
    for label in row.parsed("labels") or ():
        if isinstance(label, dict):
            yield str(label.get("value", ""))


def _credits(row: Row) -> Decimal:
    found = Decimal(0)
    for credit in row.parsed("credits") or ():
        if isinstance(credit, dict) and _DISCOUNTS.match(str(credit.get("type") or "DISCOUNT")):
            found += Row(file=row.file, number=row.number, cells=credit).amount("amount")
    return found


def _rate(row: Row, usd_per: Mapping[str, Decimal]) -> Decimal:
    """How much of the row's currency one dollar is."""
    currency = row.text("currency") or "USD"
    if currency == "USD":
        return Decimal(1)
    said = row.amount("currency_conversion_rate")
    if said > 0:
        return said
    if currency not in usd_per:
        raise row.refused(f"amounts are in {currency}; say its worth under prices.usd_per in the config")
    return 1 / usd_per[currency]
