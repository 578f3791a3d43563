"""What is remembered of each source's claim about each offer, from one look at the market to the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.market.quotes import Quote

Key = tuple[str, str]
"""The source's name and the offer's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A new price that waits to be confirmed: seen `times` looks in a row since `since`."""

    price: Decimal
    since: datetime
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One source's word on one offer. `accepted` is its last quote that passed, kept fresh.

    `dropped` are prices that came, waited and went again: known flips, the newest last.
    """

    accepted: Quote | None
    pending: Pending | None = None
    dropped: tuple[Decimal, ...] = ()


Memory = Mapping[Key, Claim]
