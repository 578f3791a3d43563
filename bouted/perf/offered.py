"""The ways to load one replica (alone, open loop, closed loop, a recording), and what its requests see."""

from dataclasses import dataclass, replace

import numpy as np

from bouted.perf.arrivals import Trace
from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Floats, Ints
from bouted.perf.mix import MOST_CYCLES, RequestMix
from bouted.perf.simulate import RequestTimes, simulate_closed, simulate_replica

WAVES = 10  # requests that each client of a closed loop sends, as benchmarks usually have it
FAR_APART_PER_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """One request at a time, each on an idle engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Requests come at this rate whatever becomes of them."""

    rate_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """So many clients start at once, and each sends its next request when the last one ends."""

    clients: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """Requests come as they were recorded, at two different times or more."""

    trace: Trace

    @property
    def rate_per_s(self) -> float:
        """The mean rate over the whole recording."""
        times = self.trace.arrivals_s
        return float((len(times) - 1) / (times[-1] - times[0]))

    def at(self, rate_per_s: float) -> "Replay":
        """The same at another mean rate: time is stretched."""
        stretch = self.rate_per_s / rate_per_s
        return Replay(trace=replace(self.trace, arrivals_s=self.trace.arrivals_s * stretch))

    @property
    def arrival_cv(self) -> float:
        """Variation of the gaps between arrivals."""
        gaps = np.diff(self.trace.arrivals_s)
        return float(gaps.std() / gaps.mean())


Load = Alone | Open | Closed | Replay


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offered:
    """What requests saw, in seconds. `rate_per_s` is what was offered, None where answers set the pace."""

    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    rate_per_s: float | None
    requests_per_s: float
    output_tokens_per_s: float


def offer(costs: StepCosts, mix: RequestMix, load: Load) -> Offered:
    """Simulates `load` on one replica; `mix` gives the requests, save those of a recording.

    Of an open loop, requests that met an engine filling or running empty are left out; a closed loop and a
    recording count from the first request to the last, as benchmarks do.
    """
    match load:
        case Alone():
            return _alone(costs, mix)
        case Open(rate_per_s=rate):
            return _open(costs, mix, rate)
        case Closed(clients=clients):
            return _closed(costs, mix, clients)
        case Replay():
            return _replay(costs, load)


def _alone(costs: StepCosts, mix: RequestMix) -> Offered:
    seen = mix.run(costs, FAR_APART_PER_S, 1)
    return _answered(seen, mix.output_tokens[: mix.cycle], None, float(seen.e2e_s.sum()))


def _open(costs: StepCosts, mix: RequestMix, rate_per_s: float) -> Offered:
    seen = mix.run(costs, rate_per_s, MOST_CYCLES)
    return Offered(
        ttft_s=mix.settled(seen.ttft_s, MOST_CYCLES),
        tpot_s=mix.settled(seen.tpot_s, MOST_CYCLES),
        e2e_s=mix.settled(seen.e2e_s, MOST_CYCLES),
        rate_per_s=rate_per_s,
        requests_per_s=rate_per_s,
        output_tokens_per_s=rate_per_s * float(mix.output_tokens.mean()),
    )


def _closed(costs: StepCosts, mix: RequestMix, clients: int) -> Offered:
    count = max(mix.cycle, WAVES * clients)
    prompt, output = (np.resize(tokens, count) for tokens in (mix.prompt_tokens, mix.output_tokens))
    run = simulate_closed(costs, clients, prompt, output)
    return _answered(run.times, output, None, float((run.issued_s + run.times.e2e_s).max()))


def _replay(costs: StepCosts, load: Replay) -> Offered:
    trace = load.trace
    seen = simulate_replica(costs, trace.arrivals_s, trace.prompt_tokens, trace.output_tokens)
    lasted = float((trace.arrivals_s + seen.e2e_s).max() - trace.arrivals_s[0])
    return _answered(seen, trace.output_tokens, load.rate_per_s, lasted)


def _answered(seen: RequestTimes, output_tokens: Ints, rate_per_s: float | None, lasted_s: float) -> Offered:
    return Offered(
        ttft_s=seen.ttft_s,
        tpot_s=seen.tpot_s,
        e2e_s=seen.e2e_s,
        rate_per_s=rate_per_s,
        requests_per_s=len(output_tokens) / lasted_s,
        output_tokens_per_s=float(output_tokens.sum()) / lasted_s,
    )
