"""Quotes: what a source claims a whole instance costs, before anybody believes it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import isfinite

from bouted.clock import require_utc
from bouted.market.offers import Confidence, Market, offer_id

Row = tuple[tuple[str, str], ...]
"""A source's own words for something: (column, value) pairs, shown when it is set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One claim: this instance, here, on this market, costs `price` in `currency` per hour, whole.

    The price is a number; nothing else is checked. It may be zero, absurd or in another currency, and the GPU
    unknown: what is wrong is set aside later, with its reason. `observed_at` is when the source was read,
    `effective_at` since when the price has held, where the source says, by its own clock, which may be ahead.
    `obtainable` (instances at once) and `hazard_per_hour` (odds of losing one) are None where the source does
    not know.
    """

    provider: str
    region: str
    zone: str
    instance_type: str
    gpu: str
    gpu_count: int
    market: Market
    price: Decimal
    currency: str
    source: str
    observed_at: datetime
    effective_at: datetime | None
    confidence: Confidence
    obtainable: int | None
    hazard_per_hour: float | None
    row: Row

    def __post_init__(self) -> None:
        require_utc(self.observed_at, "observed_at")
        if not self.price.is_finite() or not isfinite(self.hazard_per_hour or 0.0):
            raise ValueError(
                f"{self.id}: price {self.price} and hazard {self.hazard_per_hour} must be numbers"
            )
        if self.effective_at is not None:
            require_utc(self.effective_at, "effective_at")

    @property
    def id(self) -> str:
        """The id of the offer this is a claim about."""
        return offer_id(self.provider, self.zone or self.region, self.instance_type, self.market)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A row that could not even be read as a quote: the row, and why in one line."""

    source: str
    row: Row
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a source gave. `gaps` name the parts it could not ask this time (a region, a page), a line each.

    While there are gaps, an offer that is missing from `quotes` keeps its last known price.
    """

    quotes: tuple[Quote, ...]
    unread: tuple[Unread, ...] = ()
    gaps: tuple[str, ...] = ()


def belongs_to(source: str, name: str) -> bool:
    """Whether the price source called `name` said this: `source` is its name, alone or before `: `."""
    return source == name or source.startswith(f"{name}: ")
