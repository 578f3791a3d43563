"""Reads single fields out of AWS answers that may hold anything."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from bouted.market.quotes import Row

from .answering import shown

_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,15})?")
_LONGEST = 200


def text_of(row: object, key: str) -> str:
    """The text under `key`; "" where there is none or it is no text."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return value.strip() if isinstance(value, str) else ""


def count_of(row: object, key: str) -> int | None:
    """The whole number under `key`; None where there is none."""
    value = row.get(key) if isinstance(row, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def part_of(row: object, key: str) -> object:
    """What is under `key`; None where there is nothing, or nothing to look into."""
    return row.get(key) if isinstance(row, Mapping) else None


def list_of(row: object, key: str) -> list[object]:
    """The list under `key`; empty where there is none."""
    value = part_of(row, key)
    return value if isinstance(value, list) else []


def price_of(text: str) -> Decimal | None:
    """An amount as AWS writes it, digits and a point, exactly; None for anything else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def moment_of(text: str) -> datetime | None:
    """A time in UTC, from ISO text; without an offset it is taken for UTC. None for anything else."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def row_of(said: object) -> Row:
    """AWS's own columns, to be shown; what is no row is shown as it is."""
    if not isinstance(said, Mapping) or not said:
        return (("row", _short(said)),)
    return tuple((_short(key), _short(value)) for key, value in said.items())


def _short(value: object) -> str:
    return shown(" ".join(str(value).split())[:_LONGEST])
