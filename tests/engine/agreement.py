"""One real engine and its simulation under the same arrivals: what both say of TTFT and end-to-end time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import numpy as np
from engine_client import Answer, Ask, answers
from engine_server import EngineServer
from numpy.typing import NDArray

from bouted.perf.costs import StepCosts
from bouted.perf.simulate import simulate_replica

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REQUESTS = 600
AT_ONCE = 150
SETTLING = 30
"""The first requests of a run, which find the engine emptier than the rest do, are left out."""
PROMPT_MEDIAN, PROMPT_MOST = 80, 640
OUTPUT_MEDIAN, OUTPUT_MOST = 32, 160
_SIGMA = 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """Arrivals at one per second on average, with tokens each way; one entry per request."""

    arrivals_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Seconds."""

    ttft_p50_s: float
    ttft_p95_s: float
    e2e_p50_s: float
    e2e_p95_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One load. `starved_share` is how much of the time somebody else had the engine's core."""

    utilisation: float
    rate_per_s: float
    measured: Quantiles
    simulated: Quantiles
    starved_share: float


def poisson_requests(n: int, seed: int) -> Requests:
    """`n` Poisson arrivals whose prompts and outputs are lognormal: a few are ten times the median."""
    rng = np.random.default_rng(seed)
    return Requests(
        arrivals_s=np.cumsum(rng.exponential(1.0, n)),
        prompt_tokens=_lengths(rng, n, PROMPT_MEDIAN, PROMPT_MOST),
        output_tokens=_lengths(rng, n, OUTPUT_MEDIAN, OUTPUT_MOST),
    )


def capacity_per_s(costs: StepCosts, requests: Requests) -> float:
    """Requests per second that the simulated engine finishes when all of them wait for it."""
    nothing = np.zeros(len(requests.arrivals_s))
    times = simulate_replica(costs, nothing, requests.prompt_tokens, requests.output_tokens)
    early, late = np.quantile(times.e2e_s, (0.1, 0.9))
    return float(0.8 * len(nothing) / (late - early))


async def point(
    http: httpx.AsyncClient, server: EngineServer, costs: StepCosts, utilisation: float, seed: int
) -> Point:
    """Load the engine at a share of its simulated capacity, and simulate the very same requests."""
    requests = poisson_requests(REQUESTS, seed)
    rate = utilisation * capacity_per_s(costs, requests)
    arrivals_s = requests.arrivals_s / rate
    told = simulate_replica(costs, arrivals_s, requests.prompt_tokens, requests.output_tokens)
    began, waited_s = time.perf_counter(), server.waited_s()
    seen = await answers(http, _asks(arrivals_s, requests), seed)
    starved_share = (server.waited_s() - waited_s) / (time.perf_counter() - began)
    return Point(
        utilisation=utilisation,
        rate_per_s=rate,
        measured=_quantiles(*_seen(seen)),
        simulated=_quantiles(told.ttft_s, told.e2e_s),
        starved_share=starved_share,
    )


async def saturated_s(http: httpx.AsyncClient, costs: StepCosts, seed: int) -> tuple[float, float]:
    """Seconds until requests that all come at once are done: measured, simulated.

    It shows whether the step costs are right, whatever queueing makes of a small error in them.
    """
    requests = poisson_requests(AT_ONCE, seed)
    nothing = np.zeros(AT_ONCE)
    told = simulate_replica(costs, nothing, requests.prompt_tokens, requests.output_tokens)
    seen = await answers(http, _asks(nothing, requests), seed)
    return max(answer.e2e_s for answer in seen), float(told.e2e_s.max())


def _asks(arrivals_s: Floats, requests: Requests) -> list[Ask]:
    rows = zip(arrivals_s, requests.prompt_tokens, requests.output_tokens, strict=True)
    return [Ask(at_s=float(t), prompt_tokens=int(p), output_tokens=int(o)) for t, p, o in rows]


def _lengths(rng: np.random.Generator, n: int, middle: int, most: int) -> Ints:
    drawn = middle * np.exp(_SIGMA * rng.standard_normal(n))
    return np.asarray(np.clip(np.rint(drawn), 2, most), np.int64)


def _seen(seen: Sequence[Answer]) -> tuple[Floats, Floats]:
    return np.array([answer.ttft_s for answer in seen]), np.array([answer.e2e_s for answer in seen])


def _quantiles(ttft_s: Floats, e2e_s: Floats) -> Quantiles:
    ttft = np.quantile(ttft_s[SETTLING:], (0.5, 0.95))
    e2e = np.quantile(e2e_s[SETTLING:], (0.5, 0.95))
    return Quantiles(
        ttft_p50_s=float(ttft[0]), ttft_p95_s=float(ttft[1]), e2e_p50_s=float(e2e[0]), e2e_p95_s=float(e2e[1])
    )
