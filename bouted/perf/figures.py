"""A run of the simulator in figures: latencies, throughput, and how much of it met an objective."""

from dataclasses import dataclass

import numpy as np

from bouted.perf.kernel import Floats, Ints
from bouted.perf.simulate import RequestTimes
from bouted.perf.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds; infinite when no request got so far."""

    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of the requests counted. Latencies are of those answered whole; `tpot` of more than one token.

    Rates are per second from the first counted arrival to the last counted token, as load generators
    count them, so they include the time in which the engine runs empty at the end. A request is good if
    it was answered whole and kept to the objective; `goodput_per_s` counts good requests. `preemptions`
    and `failed` are counts.
    """

    requests: int
    ttft: Latency
    tpot: Latency
    e2e: Latency
    queue: Latency
    requests_per_s: float
    output_tokens_per_s: float
    total_tokens_per_s: float
    goodput_per_s: float
    good_share: float
    preemptions: int
    failed: int


def figures(
    times: RequestTimes, prompt_tokens: Ints, output_tokens: Ints, *, slo: Slo | None = None, skip: int = 0
) -> Figures:
    """Figures of all requests but the first `skip`, which meet an empty engine.

    Without an objective every request that was answered whole is good. ValueError when none is counted.
    """
    if len(times.ok) <= skip:
        raise ValueError(f"{len(times.ok)} requests, of which the first {skip} are not counted")
    ok, arrived = times.ok[skip:], times.arrived_s[skip:]
    prompt, output = prompt_tokens[skip:], output_tokens[skip:]
    ttft, tpot, e2e = times.ttft_s[skip:], times.tpot_s[skip:], times.e2e_s[skip:]
    good = np.logical_and.reduce([times.ok, *(slo or Slo()).kept(times).values()])[skip:]
    span_s = float(np.max((arrived + e2e)[ok], initial=arrived[0]) - arrived[0])
    per_s = 1 / span_s if span_s else 0.0
    return Figures(
        requests=len(ok),
        ttft=_latency(ttft[ok]),
        tpot=_latency(tpot[ok & (output > 1)]),
        e2e=_latency(e2e[ok]),
        queue=_latency(times.queue_s[skip:][ok]),
        requests_per_s=float(ok.sum() * per_s),
        output_tokens_per_s=float(output[ok].sum() * per_s),
        total_tokens_per_s=float((prompt + output)[ok].sum() * per_s),
        goodput_per_s=float(good.sum() * per_s),
        good_share=float(good.mean()),
        preemptions=int(times.preemptions[skip:].sum()),
        failed=int((~ok).sum()),
    )


def _latency(seconds: Floats) -> Latency:
    if not len(seconds):
        return Latency(mean_s=np.inf, p50_s=np.inf, p95_s=np.inf, p99_s=np.inf)
    p50, p95, p99 = np.quantile(seconds, (0.5, 0.95, 0.99))
    return Latency(mean_s=float(seconds.mean()), p50_s=float(p50), p95_s=float(p95), p99_s=float(p99))
