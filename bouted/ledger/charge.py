"""One node's account: what is known of its times and prices, and what it was charged in a stretch of time."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from bouted.ledger.prices import Piece, PriceStep, pieces
from bouted.ledger.rules import BillingRule
from bouted.ledger.times import Life, billed_until, paid_spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """All that the ledger knows of one node. Prices are of all its instances together."""

    node: str
    provider: str
    life: Life
    usd_per_hour: Decimal
    steps: tuple[PriceStep, ...] = ()

    @property
    def usd_per_hour_now(self) -> Decimal:
        """The newest price."""
        return max(self.steps, key=lambda step: step.at).usd_per_hour if self.steps else self.usd_per_hour

    @property
    def open(self) -> bool:
        """Whether it still costs, as far as is known."""
        return self.life.noticed_end is None and self.life.said_end is None

    def times(self, factor: Decimal) -> "Account":
        """The same node at so many times each of its prices."""
        steps = (replace(step, usd_per_hour=step.usd_per_hour * factor) for step in self.steps)
        return replace(self, usd_per_hour=self.usd_per_hour * factor, steps=tuple(steps))


def charges(account: Account, rule: BillingRule, since: datetime, until: datetime) -> tuple[Piece, ...]:
    """What the node is charged from `since` to `until`, in stretches of one price.

    Adjoining questions add up to the whole, whenever they are asked. What is rounded up costs what the node
    cost last.
    """
    return tuple(
        piece
        for span in paid_spans(account.life, rule)
        for piece in pieces(
            max(span.start, since),
            min(until, billed_until(span, rule, until)),
            account.usd_per_hour,
            (step for step in account.steps if span.end is None or step.at < span.end),
        )
    )


def charged_usd(account: Account, rule: BillingRule, since: datetime, until: datetime) -> Fraction:
    """The same as one exact sum of dollars."""
    return sum((piece.usd for piece in charges(account, rule, since, until)), Fraction(0))


def as_decimal(usd: Fraction) -> Decimal:
    """A sum as a Decimal, rounded once, to 28 digits."""
    return Decimal(usd.numerator) / Decimal(usd.denominator)
