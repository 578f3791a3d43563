"""Rows of bill files as named text, and the few things every bill says: an amount, a time, tags."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from bouted.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a bill, its columns named alike in every version of the file."""

    file: str
    number: int
    cells: Mapping[str, Any]

    def text(self, column: str) -> str:
        """What stands in the column; "" where it is empty or missing."""
        value = self.cells.get(column)
        return "" if value is None else str(value).strip()

    def amount(self, column: str) -> Decimal:
        """The column as an amount, 0 where it is empty."""
        text = self.text(column) or "0"
        try:
            found = Decimal(text)
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite():
            raise self.refused(f"{column} is {text!r}, not an amount")
        return found

    def moment(self, column: str) -> datetime:
        """The column as a time; one without a zone is UTC."""
        text = self.text(column)
        try:
            at = datetime.fromisoformat(text.removesuffix(" UTC"))
        except ValueError:
            raise self.refused(f"{column} is {text!r}, not a time") from None
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

    def period(self, start: str, end: str) -> tuple[datetime, datetime]:
        """Two columns as a stretch of time that does not run backwards."""
        first, last = self.moment(start), self.moment(end)
        if last < first:
            raise self.refused(f"{end} is before {start}")
        return first, last

    def parsed(self, column: str) -> Any:
        """A column that holds a list or a map, as itself or as JSON; None where it is empty or neither."""
        value = self.cells.get(column)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip()[:1] in ("[", "{") else None
        except ValueError:
            raise self.refused(f"{column} is not JSON") from None

    def refused(self, what: str) -> Misconfigured:
        """The error that names the place."""
        return Misconfigured(
            f"{self.file}:{self.number}", what, hint="the file is cut off or was edited: download it again"
        )
