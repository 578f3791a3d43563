"""A price source that answers from a script, and short ways to write a quote and an offer."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bouted.market.offers import Confidence, Market, Offer
from bouted.market.quotes import Answer, Quote
from bouted.market.source import Feed, PriceSource

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Said = tuple[Quote, ...] | Answer | Exception | Callable[[], tuple[Quote, ...]]


class ScriptedPrices:
    """Gives `answers` one by one, the last one for ever: quotes, an answer, an error to raise, a call.

    `asked_at` has the time of each fetch.
    """

    def __init__(self, *answers: Said, name: str = "scripted", rank: int = 5) -> None:
        if not answers:
            raise ValueError("a script needs at least one answer")
        self.name = name
        self.rank = rank
        self.asked_at: list[datetime] = []
        self._answers = answers

    def fetch(self, now: datetime) -> Answer:
        """The next answer of the script."""
        said = self._answers[min(len(self.asked_at), len(self._answers) - 1)]
        self.asked_at.append(now)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Answer):
            return said
        quotes = said() if callable(said) else said
        return Answer(
            quotes=tuple(
                replace(quote, source=self.name, observed_at=min(quote.observed_at, now)) for quote in quotes
            )
        )


def a_feed(source: PriceSource, *, every_s: float = 300.0, timeout_s: float = 30.0) -> Feed:
    """The source at this pace."""
    return Feed(source=source, every_s=every_s, timeout_s=timeout_s)


def a_quote(price: str | Decimal = "1.20", **changes: Any) -> Quote:
    """A plausible spot L4 in us-east-1 at this price, with `changes` to its other fields."""
    base = Quote(
        provider="aws",
        region="us-east-1",
        zone="",
        instance_type="g6.xlarge",
        gpu="L4",
        gpu_count=1,
        market=Market.SPOT,
        price=Decimal(1),
        currency="USD",
        source="scripted",
        observed_at=NOON,
        effective_at=None,
        confidence=Confidence.HIGH,
        obtainable=4,
        hazard_per_hour=0.02,
        row=(("price", str(price)),),
    )
    return replace(base, price=Decimal(price), **changes)


def an_offer(usd_per_hour: str | Decimal = "1.20", **changes: Any) -> Offer:
    """The offer that `a_quote` is about, with `changes` to its other fields."""
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
