"""Offers to plan over, made from the prices that ship with bouted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from bouted.providers.snapshot import SnapshotPrices

from bouted.market.offers import Confidence, Market, Offer
from bouted.market.quotes import Quote

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Eight GPUs of a type, as instances of one, two and four: (GPUs, how many).
SIZES = ((1, 2), (2, 1), (4, 1))
# Per type, the shipped quote that its price per GPU is read from.
QUOTED = {
    "L4": "gcp/us-central1/g2-standard-4/on_demand",
    "L40S": "aws/us-east-1/g6e.xlarge/on_demand",
    "A100-80GB": "lambda/us-east-1/gpu_8x_a100_80gb_sxm4/on_demand",
    "H100-80GB": "runpod/US/1x_H100_SXM/on_demand",
    "A6000": "lambda/us-east-1/gpu_1x_a6000/on_demand",
    "RTXPRO6000": "aws/us-east-2/g7e.2xlarge/on_demand",
}
# How far prices of one instance type lie apart between zones, as a share: as AWS's L4 spot prices do, and
# as list prices do.
SPOT_SPREAD, LIST_SPREAD = 0.25, 0.04


def quotes() -> tuple[Quote, ...]:
    """The shipped quotes."""
    return SnapshotPrices().fetch(NOW).quotes


def eight_each(gpus: Sequence[str]) -> tuple[Offer, ...]:
    """Eight GPUs of each type, at the price per GPU of one shipped quote whatever the instance's size."""
    known = {quote.id: quote for quote in quotes()}
    return tuple(
        _offer(
            known[QUOTED[gpu]],
            zone="z",
            instance_type=f"{count}x-{gpu}",
            gpu_count=count,
            usd_per_hour=known[QUOTED[gpu]].price * count / known[QUOTED[gpu]].gpu_count,
            obtainable=many,
        )
        for gpu in sorted(gpus)
        for count, many in SIZES
    )


def many_zones(wanted: int, seed: int) -> tuple[Offer, ...]:
    """`wanted` live-like offers: the shipped ones, then those in further zones at prices that lie apart."""
    rng = np.random.default_rng(seed)
    shipped = sorted(quotes(), key=lambda quote: quote.id)
    found: list[Offer] = []
    for n in range(wanted):
        quote, zone = shipped[n % len(shipped)], n // len(shipped)
        spread = SPOT_SPREAD if quote.market is Market.SPOT else LIST_SPREAD
        factor = float(np.exp(rng.normal(0.0, spread))) if zone else 1.0
        found.append(
            _offer(
                quote,
                zone=f"{quote.zone or quote.region}-{zone}",
                instance_type=quote.instance_type,
                gpu_count=quote.gpu_count,
                usd_per_hour=Decimal(f"{float(quote.price) * factor:.4f}"),
                obtainable=quote.obtainable or 1,
            )
        )
    return tuple(sorted(found, key=lambda offer: offer.id))


def _offer(
    quote: Quote, *, zone: str, instance_type: str, gpu_count: int, usd_per_hour: Decimal, obtainable: int
) -> Offer:
    return Offer(
        provider=quote.provider,
        region=quote.region,
        zone=zone,
        instance_type=instance_type,
        gpu=quote.gpu,
        gpu_count=gpu_count,
        market=quote.market,
        usd_per_hour=usd_per_hour,
        obtainable=obtainable,
        hazard_per_hour=quote.hazard_per_hour or 0.0,
        source=quote.source,
        observed_at=quote.observed_at,
        confidence=Confidence.HIGH,
    )
