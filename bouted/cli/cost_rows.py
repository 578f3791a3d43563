"""What was spent, as a screen and as JSON. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from bouted.cli.columns import columns, paragraph
from bouted.cli.units import share, usd, usd_round
from bouted.daemon.board import Spend
from bouted.ledger.charge import as_decimal
from bouted.ledger.cost import CostRow, CostTable, to_cents
from bouted.ledger.forecast import month_of
from bouted.ledger.shares import IDLE
from bouted.store.billed import KnownFactor

_MARK = "~"
_LABEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that the screen says. `usd_per_hour` is committed now, `usd_per_month` the budget, if any. `spend`
    counts what is billed, `table` what is quoted."""

    now: datetime
    since: datetime
    spend: Spend
    usd_per_hour: Decimal
    usd_per_month: Decimal | None
    table: CostTable
    factors: tuple[KnownFactor, ...] = ()


def screen(told: Told) -> list[str]:
    """The month first, then the table; amounts that no provider has confirmed are marked with ~."""
    return [*_month(told), "", *_table(told), *_notes(told)]


def document(told: Told) -> dict[str, Any]:
    """The same for JSON: dollars are decimal strings, exact to 28 digits."""
    return {
        "now": told.now.isoformat(),
        "since": told.since.isoformat(),
        "today_usd": str(told.spend.today_usd),
        "month_usd": str(told.spend.month_usd),
        "forecast_month_usd": str(told.spend.forecast_month_usd),
        "budget_month_usd": None if told.usd_per_month is None else str(told.usd_per_month),
        "committed_usd_per_hour": str(told.usd_per_hour),
        "by": told.table.by.value,
        "rows": [_item(row) for row in told.table.rows],
        "total": _item(told.table.total),
        "billed_factors": [
            {
                "provider": known.provider,
                "factor": str(known.factor),
                "node_hours": known.hours,
                "until": known.until.isoformat(),
            }
            for known in told.factors
        ],
    }


def _item(row: CostRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "usd": str(as_decimal(row.usd)),
        "estimated_usd": str(as_decimal(row.estimated_usd)),
        "gpu_hours": float(row.gpu_hours),
    }


def _month(told: Told) -> list[str]:
    spend, month = told.spend, month_of(told.now)
    ahead = f"{usd_round(spend.forecast_month_usd)} by the end of {month.start:%B} as things stand"
    if told.usd_per_month is not None:
        over = spend.forecast_month_usd > told.usd_per_month
        ahead += f", {'OVER' if over else 'of'} the {usd_round(told.usd_per_month)} budget"
    return [
        f"today     {usd(spend.today_usd)}",
        f"month     {usd(spend.month_usd)} -> {ahead}",
        f"now       {usd(told.usd_per_hour)}/h committed",
    ]


def _table(told: Told) -> list[str]:
    table = told.table
    since = f"{told.since:%Y-%m-%d %H:%M}"
    if not table.rows:
        return [f"nothing was spent since {since} UTC"]
    cents = to_cents([row.usd for row in table.rows])
    head = (table.by.value.upper(), "SPENT", "SHARE", "GPU-HOURS")
    rows = [_cells(row, amount, table.total) for row, amount in zip(table.rows, cents, strict=True)]
    total = _cells(table.total, sum(cents, Decimal(0)), table.total)
    told_since = f"since {since} UTC"
    return [told_since, *columns([head, *rows, total], right=frozenset({1, 2, 3}))]


def _cells(row: CostRow, amount: Decimal, total: CostRow) -> tuple[str, ...]:
    marked = f"{_MARK if row.estimated_usd else ''}{usd(amount)}"
    part = share(float(row.usd / total.usd)) if total.usd else "-"
    return row.key, marked, part, f"{float(row.gpu_hours):,.1f}"


def _notes(told: Told) -> list[str]:
    notes: list[str] = []
    estimated = told.table.total.estimated_usd
    if estimated:
        text = f"{usd(as_decimal(estimated).quantize(Decimal('0.01')))} of it is an estimate: no provider has"
        notes += paragraph(_MARK.ljust(_LABEL), f"{text} said yet when those nodes began or ended")
    if any(row.key == IDLE for row in told.table.rows):
        notes += paragraph(IDLE.ljust(_LABEL), "GPUs of rented nodes that no replica of the plan uses")
    for known in told.factors:
        bills = f"bills {known.factor.normalize():f} times what is quoted, by its bill until"
        counts = "the table counts what is quoted; today, the month and plans what is billed"
        notes += paragraph(known.provider.ljust(_LABEL), f"{bills} {known.until:%Y-%m-%d}; {counts}")
    return ["", *notes] if notes else []
