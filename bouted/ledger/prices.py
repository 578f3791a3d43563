"""What a node cost when: a first price and its changes, each from its own time on, however late heard."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

_US = timedelta(microseconds=1)
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """From `at` on all instances of the node together cost this."""

    at: datetime
    usd_per_hour: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of time at one price."""

    start: datetime
    end: datetime
    usd_per_hour: Decimal

    @property
    def usd(self) -> Fraction:
        """What it cost, exactly."""
        return Fraction(self.usd_per_hour) * ((self.end - self.start) // _US) / HOUR_US


def pieces(
    start: datetime, end: datetime, first_usd_per_hour: Decimal, steps: Iterable[PriceStep]
) -> Iterator[Piece]:
    """`start` to `end` in stretches of one price, in order and without a gap; none unless it starts before
    it ends. The first price holds until the first step."""
    at, price = start, first_usd_per_hour
    for step in sorted(steps, key=lambda step: step.at):
        if step.at >= end:
            break
        if step.at > at:
            if step.usd_per_hour == price:
                continue
            yield Piece(start=at, end=step.at, usd_per_hour=price)
            at = step.at
        price = step.usd_per_hour
    if at < end:
        yield Piece(start=at, end=end, usd_per_hour=price)
