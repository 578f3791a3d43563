"""A moment as people type it: how long ago, or a date."""

from datetime import UTC, datetime
from typing import Any

import click

from bouted.cli.span import Span

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""No ledger goes back further."""


class Moment(click.ParamType):
    """A moment such as `7d` (ago), `2026-11-01` or `2026-11-01T12:00` (UTC unless it says otherwise); never
    before the beginning."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(str(value).strip())
        except ValueError:
            pass
        else:
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            return max(BEGINNING, at).astimezone(UTC)
        try:
            return max(BEGINNING, datetime.now(UTC) - Span().convert(value, param, ctx))
        except (click.UsageError, OverflowError):
            self.fail(f"{value!r} is neither a span like 12h or 7d nor a date like 2026-11-01", param, ctx)
