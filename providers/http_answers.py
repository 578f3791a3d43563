"""What an HTTP answer says: JSON with exact numbers, and how long to wait. Pure."""

import json
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from bouted.errors import SourceFailed

MOST_WAIT_S = 86_400.0


def parse_json(body: bytes) -> Any:
    """The body as JSON; SourceFailed when it is none.

    Numbers with a point come as Decimal: a price is what the text says. NaN and its like come as text.
    """
    try:
        return json.loads(body, parse_float=_exact, parse_constant=str)
    except (ValueError, RecursionError) as error:
        start = body[:40].decode("ascii", "replace")
        raise SourceFailed(f"the answer is not JSON: {json.dumps(start)}") from error


def _exact(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds: wrong for its row only
        return text


def retry_after_s(text: str, now: datetime) -> float | None:
    """How long a Retry-After header says to wait: seconds, or until a date. None if it cannot be read."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MOST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return min(max((until - now).total_seconds(), 0.0), MOST_WAIT_S)
    except (ValueError, IndexError, OverflowError):
        return None
