"""A real engine and its simulation under the same requests: what both say of TTFT and end-to-end time."""

import time
from dataclasses import dataclass

import httpx
import numpy as np
from engine_client import Ask, answers
from engine_server import EngineServer
from numpy.typing import NDArray
from perf_engine import Compared

from bouted.perf.costs import StepCosts
from bouted.perf.simulate import simulate_replica

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ENOUGH = 600
SETTLING = 30
"""The first requests of a run, which find the engine emptier than the rest do, are left out."""
PROMPT_MEDIAN, PROMPT_MOST = 80, 640
OUTPUT_MEDIAN, OUTPUT_MOST = 32, 160
_SIGMA = 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """Arrivals in seconds, with tokens each way; one entry per request."""

    arrivals_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Times:
    """Seconds per request from its arrival to its first and to its last token, in order of arrival."""

    ttft_s: Floats
    e2e_s: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """What a load did to the engine. `starved_share` is how much of the time somebody else had its core."""

    requests: Requests
    times: Times
    starved_share: float


def poisson_requests(n: int, rate_per_s: float, seed: int) -> Requests:
    """`n` Poisson arrivals, all at once at an infinite rate; lengths are lognormal."""
    rng = np.random.default_rng(seed)
    return Requests(
        arrivals_s=np.cumsum(rng.exponential(1.0, n)) / rate_per_s,
        prompt_tokens=_lengths(rng, n, PROMPT_MEDIAN, PROMPT_MOST),
        output_tokens=_lengths(rng, n, OUTPUT_MEDIAN, OUTPUT_MOST),
    )


async def loaded(http: httpx.AsyncClient, server: EngineServer, requests: Requests) -> Loaded:
    """Send the requests to the engine."""
    rows = zip(requests.arrivals_s, requests.prompt_tokens, requests.output_tokens, strict=True)
    asks = [Ask(at_s=float(t), prompt_tokens=int(p), output_tokens=int(o)) for t, p, o in rows]
    began, waited_s = time.perf_counter(), server.waited_s()
    told = await answers(http, asks, seed=0)
    starved_share = (server.waited_s() - waited_s) / (time.perf_counter() - began)
    times = Times(ttft_s=np.array([a.ttft_s for a in told]), e2e_s=np.array([a.e2e_s for a in told]))
    return Loaded(requests=requests, times=times, starved_share=starved_share)


def simulated(costs: StepCosts, requests: Requests) -> Times:
    """The very same requests in the simulator."""
    told = simulate_replica(costs, requests.arrivals_s, requests.prompt_tokens, requests.output_tokens)
    return Times(ttft_s=told.ttft_s, e2e_s=told.e2e_s)


def capacity_per_s(costs: StepCosts) -> float:
    """Requests per second that the simulated engine finishes when all of them wait for it."""
    requests = poisson_requests(_ENOUGH, np.inf, seed=0)
    early, late = np.quantile(simulated(costs, requests).e2e_s, (0.1, 0.9))
    return float(0.8 * _ENOUGH / (late - early))


def compared(at: str, measured: Times, told: Times) -> tuple[Compared, ...]:
    """P50 and P95 of TTFT and of end-to-end time, measured and as the simulator told."""
    return tuple(
        Compared(
            what=f"P{percentile} {name} at {at}",
            measured_s=float(np.percentile(seen_s[SETTLING:], percentile)),
            simulated_s=float(np.percentile(told_s[SETTLING:], percentile)),
        )
        for name, seen_s, told_s in (
            ("TTFT", measured.ttft_s, told.ttft_s),
            ("end-to-end", measured.e2e_s, told.e2e_s),
        )
        for percentile in (50, 95)
    )


def _lengths(rng: np.random.Generator, n: int, middle: int, most: int) -> Ints:
    drawn = middle * np.exp(_SIGMA * rng.standard_normal(n))
    return np.asarray(np.clip(np.rint(drawn), 2, most), np.int64)
