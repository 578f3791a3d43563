"""Offers as rows, for text and for JSON. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bouted.cli.columns import columns
from bouted.cli.units import age, usd
from bouted.market.allowed import matches_any
from bouted.market.offers import Offer
from bouted.market.quotes import Quote

if TYPE_CHECKING:
    from bouted.store.spread import Spread  # brings SQLAlchemy, which listing prices does without

_HEAD = ("GPU", "N", "$/H", "$/GPU-H", "MARKET", "WHERE", "INSTANCE", "OBTAINABLE", "AGE", "SOURCE", "TRUST")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked to see; None lets everything in. `region` may be a glob."""

    gpu: str | None = None
    market: str | None = None
    provider: str | None = None
    region: str | None = None

    def fits(self, one: Offer | Quote) -> bool:
        """Whether this offer, or quote, is wanted."""
        return self.fits_kind(one) and (self.region is None or matches_any(one.region, (self.region,)))

    def fits_kind(self, one: "Offer | Quote | Spread") -> bool:
        """The same whatever its region."""
        return (
            (self.gpu is None or self.gpu.casefold() in one.gpu.casefold())
            and (self.market is None or one.market == self.market.replace("-", "_"))
            and (self.provider is None or self.provider.casefold() == one.provider.casefold())
        )


def matching(offers: Iterable[Offer], wanted: Wanted) -> list[Offer]:
    """The wanted offers: by GPU name, then cheapest per GPU first."""
    kept = [offer for offer in offers if wanted.fits(offer)]
    return sorted(kept, key=lambda offer: (offer.gpu, _per_gpu(offer), offer.id))


def table(offers: Sequence[Offer], now: datetime) -> list[str]:
    """One line per offer."""
    return columns([_HEAD, *(_row(offer, now) for offer in offers)], right=frozenset({1, 2, 3, 7, 8}))


def document(offers: Sequence[Offer]) -> list[dict[str, Any]]:
    """The same for JSON; money is decimal strings."""
    return [
        {
            "id": offer.id,
            "provider": offer.provider,
            "region": offer.region,
            "zone": offer.zone,
            "instance_type": offer.instance_type,
            "gpu": offer.gpu,
            "gpu_count": offer.gpu_count,
            "market": offer.market.value,
            "usd_per_hour": str(offer.usd_per_hour),
            "obtainable": offer.obtainable,
            "hazard_per_hour": offer.hazard_per_hour,
            "source": offer.source,
            "observed_at": offer.observed_at.isoformat(),
            "confidence": offer.confidence.value,
        }
        for offer in offers
    ]


def _row(offer: Offer, now: datetime) -> tuple[str, ...]:
    return (
        offer.gpu,
        str(offer.gpu_count),
        usd(offer.usd_per_hour),
        usd(_per_gpu(offer)),
        offer.market.replace("_", "-"),
        f"{offer.provider}/{offer.zone or offer.region}",
        offer.instance_type,
        str(offer.obtainable),
        age((now - offer.observed_at).total_seconds()),
        offer.source,
        offer.confidence.value,
    )


def _per_gpu(offer: Offer) -> Decimal:
    return offer.usd_per_hour / offer.gpu_count
