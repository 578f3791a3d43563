"""AWS cost and usage reports: legacy CUR (`lineItem/UsageType`) and CUR 2.0 (`line_item_usage_type`)."""

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from bouted.ledger.bill_rows import Row
from bouted.ledger.bills import BillLine

NEEDED = (
    "line_item_line_item_type",
    "line_item_usage_type",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
    "line_item_unblended_cost",
    "line_item_resource_id",
)
_COST = {
    "Usage": "line_item_unblended_cost",
    "DiscountedUsage": "reservation_effective_cost",
    "SavingsPlanCoveredUsage": "savings_plan_savings_plan_effective_cost",
    "EdpDiscount": "line_item_unblended_cost",
    "PrivateRateDiscount": "line_item_unblended_cost",
    "BundledDiscount": "line_item_unblended_cost",
}
"""What an instance really costs, by the kind of line: taxes, credits, fees and negations are no price."""

_INSTANCE = re.compile(r"\b(Box|Spot|Dedicated|Heavy)Usage\b")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TAGS = "resource_tags"


def column(name: str) -> str:
    """A column of either version by its name in CUR 2.0; tags keep their own."""
    group, _, rest = name.partition("/")
    if group == "resourceTags":
        return f"{_TAGS}/{rest}"
    return _CAMEL.sub("_", name.replace("/", "_")).lower()


def is_cur(columns: Collection[str]) -> bool:
    """Whether these are the columns of a cost and usage report."""
    return "line_item_usage_start_date" in columns


def lines(rows: Iterator[Row], usd_per: Mapping[str, Decimal]) -> Iterator[BillLine]:
    """What each row asks for an instance; other rows give nothing.

    `usd_per` is what other currencies are worth. Misconfigured, by file and row, for what cannot be read.
    """
    for row in rows:
        cost = _COST.get(row.text("line_item_line_item_type"))
        if cost is None or not _INSTANCE.search(row.text("line_item_usage_type")):
            continue
        start, end = row.period("line_item_usage_start_date", "line_item_usage_end_date")
        yield BillLine(
            provider="aws",
            names=(row.text("line_item_resource_id"), *_tags(row)),
            start=start,
            end=end,
            usd=row.amount(cost) * _rate(row, usd_per),
        )


def _rate(row: Row, usd_per: Mapping[str, Decimal]) -> Decimal:
    currency = row.text("line_item_currency_code") or "USD"
    if currency != "USD" and currency not in usd_per:
        raise row.refused(f"amounts are in {currency}; say its worth under prices.usd_per in the config")
    return Decimal(1) if currency == "USD" else usd_per[currency]


def _tags(row: Row) -> Iterator[str]:
    for name in row.cells:
        if name.startswith(_TAGS) and (value := row.text(name)):
            tags = row.parsed(name)
            yield from map(str, tags.values()) if isinstance(tags, dict) else (value,)
