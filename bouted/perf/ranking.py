"""Shapes of one model, ranked by the output tokens that a dollar buys. Pure."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bouted.market.offers import Offer
from bouted.perf.goodput import goodput_per_s
from bouted.perf.knee import knee_per_s
from bouted.perf.mix import RequestMix
from bouted.perf.price import Price, prices_of
from bouted.perf.replica import Replica
from bouted.perf.slo import Slo

HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One shape at the highest rate that it can take, or at which it meets the SLO (0: at none)."""

    replica: Replica
    rate_per_s: float
    output_tokens_per_s: float
    prices: tuple[Price, ...]

    def tokens_per_usd(self, price: Price) -> float:
        """Output tokens that a dollar buys at this price."""
        return self.output_tokens_per_s * HOUR_S / float(price.usd_per_hour)

    @property
    def best_tokens_per_usd(self) -> float:
        """At the cheaper market; 0 without a price."""
        return max((self.tokens_per_usd(price) for price in self.prices), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Shapes in order: most tokens per dollar first. `unpriced` go by tokens per second and GPU.

    `too_slow` meet the SLO at no rate.
    """

    priced: tuple[Ranked, ...]
    unpriced: tuple[Ranked, ...]
    too_slow: tuple[Ranked, ...]


def rank(replicas: Sequence[Replica], mix: RequestMix, slo: Slo | None, offers: Sequence[Offer]) -> Ranking:
    """Ranks replicas of one model; one thread per core, and the same order however many there are."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        rates = list(pool.map(lambda one: _highest_rate(one, mix, slo), replicas))
    output = float(mix.output_tokens.mean())
    ranked = [
        Ranked(
            replica=replica,
            rate_per_s=rate,
            output_tokens_per_s=rate * output,
            prices=prices_of(replica.shape, offers),
        )
        for replica, rate in zip(replicas, rates, strict=True)
    ]
    able = [one for one in ranked if one.rate_per_s > 0]
    return Ranking(
        priced=tuple(sorted((one for one in able if one.prices), key=_by_dollar)),
        unpriced=tuple(sorted((one for one in able if not one.prices), key=_by_gpu)),
        too_slow=tuple(one for one in ranked if one.rate_per_s == 0),
    )


def _highest_rate(replica: Replica, mix: RequestMix, slo: Slo | None) -> float:
    most = knee_per_s(replica.costs, mix)
    return most if slo is None else goodput_per_s(replica.costs, mix, slo, most)


def _by_dollar(one: Ranked) -> tuple[float, str]:
    return -one.best_tokens_per_usd, one.replica.shape.id


def _by_gpu(one: Ranked) -> tuple[float, str]:
    return -one.output_tokens_per_s / one.replica.shape.gpu_count, one.replica.shape.id
