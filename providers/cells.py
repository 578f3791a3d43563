"""Cells of a price table, read strictly: what a cell cannot mean is said in one line."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

MOST_GPUS = 1024


class Wrong(Exception):
    """Why a row cannot be read."""


def decimal(text: str, column: str) -> Decimal:
    """The number in a cell, exactly as written."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Wrong(f"{column} {text[:40]!r} is no number") from error
    if not value.is_finite() or abs(value.adjusted()) > 12:
        raise Wrong(f"{column} {text[:40]!r} is no usable number")
    return value


def whole(text: str, column: str, least: int, most: int) -> int:
    """The whole number in a cell, from `least` to `most`."""
    value = decimal(text, column)
    if value != value.to_integral_value() or not least <= value <= most:
        raise Wrong(f"{column} {text[:40]!r} is no whole number from {least} to {most}")
    return int(value)


def moment(text: str, column: str) -> datetime:
    """The time in a cell, in UTC: a date alone is its midnight, a time without zone is taken for UTC."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Wrong(f"{column} {text[:40]!r} is no date like 2026-04-30") from error
