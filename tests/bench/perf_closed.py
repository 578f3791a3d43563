"""A benchmark client with a fixed number of requests open, against simulated replicas."""

from dataclasses import dataclass

import numpy as np

from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Ints
from bouted.perf.simulate import simulate_closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the client saw: seconds, output tokens over all requests, and from first issue to last token."""

    ttft_mean_s: float
    ttft_median_s: float
    tpot_mean_s: float
    tpot_median_s: float
    output_tokens: int
    lasted_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requests:
    """Prompt and output tokens, one entry per request, in the order they are sent."""

    prompt: Ints
    output: Ints


def alike(count: int, prompt_tokens: int, output_tokens: int) -> Requests:
    """`count` requests of the same length."""
    return Requests(
        prompt=np.full(count, prompt_tokens, np.int64), output=np.full(count, output_tokens, np.int64)
    )


def spread(count: int, prompt_tokens: int, output_tokens: int, *, least: float, seed: int) -> Requests:
    """Lengths even between `least` of the most and the most, prompt and output apart."""
    rng = np.random.default_rng(seed)
    return Requests(
        prompt=rng.integers(int(prompt_tokens * least), prompt_tokens + 1, count),
        output=rng.integers(int(output_tokens * least), output_tokens + 1, count),
    )


def served(costs: StepCosts, concurrency: int, requests: Requests, *, cached: bool = False) -> Seen:
    """Send `concurrency` at once, and the next whenever one is done; `cached` prompts are known before."""
    known = requests.prompt - 1 if cached else None
    run = simulate_closed(costs, concurrency, requests.prompt, requests.output, cached_tokens=known)
    return Seen(
        ttft_mean_s=float(np.mean(run.times.ttft_s)),
        ttft_median_s=float(np.median(run.times.ttft_s)),
        tpot_mean_s=float(np.mean(run.times.tpot_s)),
        tpot_median_s=float(np.median(run.times.tpot_s)),
        output_tokens=int(requests.output.sum()),
        lasted_s=float(np.max(run.issued_s + run.times.e2e_s)),
    )
