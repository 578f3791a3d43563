"""A price source that answers from a script, and a short way to write an offer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bouted.market.offers import Confidence, Market, Offer

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Answer = tuple[Offer, ...] | Exception | Callable[[], tuple[Offer, ...]]


class ScriptedPrices:
    """Gives `answers` one by one, the last one for ever: offers, an error to raise, or a call to make.

    `asked_at` has the time of each fetch.
    """

    def __init__(self, *answers: Answer, name: str = "scripted", rank: int = 5) -> None:
        if not answers:
            raise ValueError("a script needs at least one answer")
        self.name = name
        self.rank = rank
        self.asked_at: list[datetime] = []
        self._answers = answers

    def fetch(self, now: datetime) -> tuple[Offer, ...]:
        """The next answer of the script."""
        answer = self._answers[min(len(self.asked_at), len(self._answers) - 1)]
        self.asked_at.append(now)
        if isinstance(answer, Exception):
            raise answer
        said = answer() if callable(answer) else answer
        return tuple(
            replace(offer, source=self.name, observed_at=min(offer.observed_at, now)) for offer in said
        )


def an_offer(usd_per_hour: str | Decimal = "1.20", **changes: Any) -> Offer:
    """A plausible spot L4 in us-east-1 at this price, with `changes` to its other fields."""
    base = Offer(
        provider="aws",
        region="us-east-1",
        zone="",
        instance_type="g6.xlarge",
        gpu="L4",
        gpu_count=1,
        market=Market.SPOT,
        usd_per_hour=Decimal(1),
        obtainable=4,
        hazard_per_hour=0.02,
        source="scripted",
        observed_at=NOON,
        confidence=Confidence.HIGH,
    )
    return replace(base, usd_per_hour=Decimal(usd_per_hour), **changes)
