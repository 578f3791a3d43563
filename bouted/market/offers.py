"""What can be rented: one offer is one instance type, in one place, on one market."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from bouted.clock import require_utc


class Market(StrEnum):
    """How capacity is bought."""

    SPOT = "spot"
    ON_DEMAND = "on_demand"
    OWNED = "owned"


class Confidence(StrEnum):
    """How far a quote is trusted."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def offer_id(provider: str, place: str, instance_type: str, market: Market) -> str:
    """The stable name of an offer; `place` is its zone, or its region where it has none."""
    return f"{provider}/{place}/{instance_type}/{market}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A whole instance at a price.

    `usd_per_hour` is for the instance, not per GPU: what is believed to be billed. `quoted_usd_per_hour` is
    set where the cloud's own bills taught that it quotes another price. `obtainable` is how many can be had
    at once. `hazard_per_hour` is the odds of losing one in an hour. `zone` is "" where the provider sells
    by region.
    """

    provider: str
    region: str
    zone: str
    instance_type: str
    gpu: str
    gpu_count: int
    market: Market
    usd_per_hour: Decimal
    obtainable: int
    hazard_per_hour: float
    source: str
    observed_at: datetime
    confidence: Confidence
    quoted_usd_per_hour: Decimal | None = None

    def __post_init__(self) -> None:
        require_utc(self.observed_at, "observed_at")
        if self.usd_per_hour < 0 or (self.usd_per_hour == 0 and self.market is not Market.OWNED):
            raise ValueError(f"{self.id}: price must be positive, got {self.usd_per_hour}")
        if self.gpu_count < 1 or self.obtainable < 0:
            raise ValueError(f"{self.id}: gpu_count {self.gpu_count}, obtainable {self.obtainable}")

    @property
    def quoted(self) -> Decimal:
        """Dollars per hour as quoted: what the ledger counts, and what bills are compared with."""
        return self.usd_per_hour if self.quoted_usd_per_hour is None else self.quoted_usd_per_hour

    @property
    def id(self) -> str:
        """Stable name of the offer: the same thing at another price has the same id."""
        return offer_id(self.provider, self.zone or self.region, self.instance_type, self.market)
