"""What one replica would do for given requests: latency, throughput, and the most it can take. Pure."""

from dataclasses import dataclass

import numpy as np

from bouted.catalog.gpus import Evidence
from bouted.errors import Misconfigured
from bouted.perf.costs import StepCosts
from bouted.perf.goodput import goodput_per_s
from bouted.perf.kernel import Floats
from bouted.perf.knee import knee_per_s
from bouted.perf.mix import RequestMix
from bouted.perf.offered import Load, Offered, Open, offer
from bouted.perf.profile import Interval
from bouted.perf.slo import Slo

CURVE = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95)
"""Loads of the table, as shares of the highest rate."""
TIGHT = 0.95
"""Share of the highest rate above which waits depend on how long the load lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds over all requests. The true P50 is between `low_s` and `high_s` four times in five."""

    p50_s: float
    p95_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What requests see at one load; `requests_per_s` and `output_tokens_per_s` are what is answered."""

    ttft: Latency
    tpot: Latency
    e2e: Latency
    requests_per_s: float
    output_tokens_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One replica under one load.

    `max_rate_per_s` is the highest rate at which the queue stays bounded, `good_rate_per_s` the highest at
    which the SLO holds as well (None without one, 0 where it holds at no rate). `curve` goes up to 95 % of
    `max_rate_per_s`. `spread` is the relative half-width of the 10-90 % interval, `ttft_spread` that of TTFT.
    """

    observed: Observed
    curve: tuple[Observed, ...]
    max_rate_per_s: float
    good_rate_per_s: float | None
    evidence: Evidence
    spread: float
    ttft_spread: float
    notes: tuple[str, ...] = ()


def estimate(costs: StepCosts, mix: RequestMix, load: Load, slo: Slo | None = None) -> Estimate:
    """What a replica with these step costs does under `load`; the same input gives the same figures.

    `mix` are the requests that the highest rate and the curve are found with. Misconfigured when `load`
    offers more than the replica can take.
    """
    most = knee_per_s(costs, mix)
    offered = offer(costs, mix, load)
    if offered.rate_per_s is not None and offered.rate_per_s > most:
        raise _unstable(offered.rate_per_s, most)
    return Estimate(
        observed=observed(offered, costs),
        curve=load_curve(costs, mix, most),
        max_rate_per_s=most,
        good_rate_per_s=None if slo is None else goodput_per_s(costs, mix, slo, most),
        evidence=costs.evidence,
        spread=costs.spread,
        ttft_spread=costs.first_token_spread,
        notes=_notes(offered, most, costs.spread),
    )


def load_curve(costs: StepCosts, mix: RequestMix, max_rate_per_s: float) -> tuple[Observed, ...]:
    """What requests see at each load of `CURVE`."""
    loads = (Open(rate_per_s=share * max_rate_per_s) for share in CURVE)
    return tuple(observed(offer(costs, mix, load), costs) for load in loads)


def observed(offered: Offered, costs: StepCosts) -> Observed:
    """The percentiles of what was simulated."""
    return Observed(
        ttft=_latency(offered.ttft_s, costs.first_token_spread),
        tpot=_latency(offered.tpot_s, costs.spread),
        e2e=_latency(offered.e2e_s, costs.spread),
        requests_per_s=offered.requests_per_s,
        output_tokens_per_s=offered.output_tokens_per_s,
    )


def rate_text(rate_per_s: float) -> str:
    """A rate as people read it: one digit behind the point, two that tell below 1, none from 100 on."""
    if rate_per_s >= 99.95:
        return f"{rate_per_s:,.0f}"
    return f"{rate_per_s:.1f}" if rate_per_s >= 0.995 else f"{rate_per_s:.2g}"


def _latency(values: Floats, spread: float) -> Latency:
    p50, p95 = (float(value) for value in np.quantile(values, (0.5, 0.95)))
    around = Interval.around(p50, spread)
    return Latency(p50_s=p50, p95_s=p95, low_s=around.low, high_s=around.high)


def _unstable(offered_per_s: float, possible_per_s: float) -> Misconfigured:
    replicas = int(np.ceil(offered_per_s / (TIGHT * possible_per_s)))
    offered, possible = rate_text(offered_per_s), rate_text(possible_per_s)
    if offered == possible:
        offered, possible = f"{offered_per_s:.4g}", f"{possible_per_s:.4g}"
    return Misconfigured(
        "",
        f"unstable: {offered} req/s offered, {possible} possible",
        hint=f"share it over {replicas} replicas, or give each more or faster GPUs",
    )


def _notes(offered: Offered, most_per_s: float, spread: float) -> tuple[str, ...]:
    if offered.rate_per_s is None:
        return ()
    notes = []
    if offered.rate_per_s > TIGHT * most_per_s:
        notes.append("so near the highest rate, waits go on growing for as long as the load lasts")
    if offered.rate_per_s > most_per_s / (1 + spread):
        slow = rate_text(most_per_s / (1 + spread))
        notes.append(
            f"at the slow end of the interval the highest rate is {slow} req/s, and this load unstable"
        )
    return tuple(notes)
