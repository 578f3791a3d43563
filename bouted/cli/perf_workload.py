"""The requests that `bouted perf` is asked about: of one length, or of a recorded trace."""

from dataclasses import dataclass

import click
import numpy as np

from bouted.cli.perf_ask import Ask
from bouted.errors import Misconfigured
from bouted.perf.arrivals import Trace, read_trace
from bouted.perf.mix import RequestMix, request_mix
from bouted.perf.offered import Alone, Closed, Load, Open, Replay
from bouted.workload.profile import RequestLength

SAMPLE = 256  # of a trace: enough for the highest rate, few enough to be quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`mix` finds the highest rate and the curve, `load` is what the figures are for."""

    lengths: tuple[RequestLength, ...]
    mix: RequestMix
    load: Load
    requests: str
    longest_tokens: int


def workload_of(ask: Ask) -> Workload:
    """Requests and load as asked for; UsageError when the options do not go together."""
    if ask.trace is not None:
        if ask.isl or ask.osl or ask.cv is not None or ask.concurrency:
            raise click.UsageError("--trace brings its own --isl, --osl, --cv, and is an open loop")
        return _recorded(ask, read_trace(ask.trace))
    if ask.isl is None or ask.osl is None:
        raise click.UsageError("say how long requests are: --isl and --osl, or --trace")
    lengths = (RequestLength(prompt_tokens=ask.isl, output_tokens=ask.osl),)
    return Workload(
        lengths=lengths,
        mix=request_mix(lengths, 1.0 if ask.cv is None else ask.cv, ask.seed),
        load=_load(ask),
        requests=f"{ask.isl:,} tokens in, {ask.osl:,} out",
        longest_tokens=ask.isl + ask.osl,
    )


def _load(ask: Ask) -> Load:
    if ask.rate is not None and ask.concurrency is not None:
        raise click.UsageError("--rate is an open loop, --concurrency a closed one: give one of them")
    if ask.rate is not None:
        return Open(rate_per_s=ask.rate)
    return Alone() if ask.concurrency is None else Closed(clients=ask.concurrency)


def _recorded(ask: Ask, trace: Trace) -> Workload:
    if trace.arrivals_s[-1] == trace.arrivals_s[0]:
        raise Misconfigured(str(ask.trace), "all its requests arrive at one time: that is no rate")
    replay = Replay(trace=trace)
    if ask.rate is not None:
        replay = replay.at(ask.rate)
    count = len(trace.arrivals_s)
    picks = np.linspace(0, count - 1, min(SAMPLE, count)).astype(int)
    lengths = tuple(
        RequestLength(prompt_tokens=int(trace.prompt_tokens[at]), output_tokens=int(trace.output_tokens[at]))
        for at in picks
    )
    means = f"{trace.prompt_tokens.mean():,.0f} tokens in, {trace.output_tokens.mean():,.0f} out on average"
    return Workload(
        lengths=lengths,
        mix=request_mix(lengths, replay.arrival_cv, ask.seed),
        load=replay,
        requests=f"{count:,} of {ask.trace}: {means}",
        longest_tokens=int((trace.prompt_tokens + trace.output_tokens).max()),
    )
