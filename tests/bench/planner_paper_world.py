"""The paper's scenario as values: replica shapes with their costs, one trace, and finite-horizon profiles.

The fleets carry less than they are offered, so a queue grows for as long as the run lasts. A profile here is
what a replica's requests see in a run of that length, at rates beyond the highest stable one too: the
paper's own data base of P95 by rate.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from planner_paper_parameters import (
    ARRIVAL_CV,
    CONTEXT_TOKENS,
    LARGE,
    PROFILE_RATES,
    PROFILE_REQUESTS,
    RATE_PER_S,
    SEED,
    SLOWER,
    SMALL,
    USD_PER_HOUR,
    Lengths,
    Workload,
)

from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.arrivals import arrivals
from bouted.perf.costs import StepCosts
from bouted.perf.profile import QUANTILES, LoadPoint, Profile, ProfileTable
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.perf.simulate import FleetReplica, simulate_fleet
from bouted.planner.layouts import ModelWanted, layouts_of
from bouted.workload.profile import RequestLength

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """The run that every fleet is judged on. `draws`, uniform and one per request, decide its model."""

    arrivals_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints
    draws: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """One data set: its trace, the lengths that planners are told, and a profile of every shape."""

    workload: Workload
    trace: Trace
    lengths: tuple[RequestLength, ...]
    profiles: ProfileTable


@cache
def world(workload: Workload) -> World:
    """The scenario of one data set; built once, in seconds."""
    rng = np.random.default_rng(SEED)
    prompts, outputs = drawn(workload.lengths, workload.requests, rng)
    told = drawn(workload.lengths, 256, np.random.default_rng(SEED + 1))
    lengths = tuple(
        RequestLength(prompt_tokens=int(p), output_tokens=int(o)) for p, o in zip(*told, strict=True)
    )
    trace = Trace(
        arrivals_s=arrivals(RATE_PER_S, ARRIVAL_CV, workload.requests, SEED),
        prompt_tokens=prompts,
        output_tokens=outputs,
        draws=rng.random(workload.requests),
    )
    return World(workload=workload, trace=trace, lengths=lengths, profiles=profiled(workload, lengths))


def drawn(lengths: Lengths, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Prompt and output tokens of `n` requests, log-normal about their means, 8 to half the context each."""

    def some(mean: float, sigma: float) -> Ints:
        tokens = mean * np.exp(rng.normal(-(sigma**2) / 2, sigma, n))
        return np.clip(np.round(tokens), 8, CONTEXT_TOKENS // 2).astype(np.int64)

    return some(lengths.prompt_tokens, lengths.prompt_sigma), some(
        lengths.output_tokens, lengths.output_sigma
    )


def shapes(lengths: tuple[RequestLength, ...], tempo: float) -> tuple[tuple[ReplicaShape, StepCosts], ...]:
    """Every layout worth planning of both models on the paper's GPUs, at the scenario's speed."""
    catalog = load_catalog()
    wanted = tuple(
        ModelWanted(
            name=name,
            spec=catalog.model(name),
            precision=Precision.BF16,
            engine=Engine.VLLM,
            context_tokens=CONTEXT_TOKENS,
        )
        for name in (SMALL, LARGE)
    )
    found = layouts_of(wanted, tuple(catalog.gpu(name) for name in USD_PER_HOUR), lengths, ())
    return tuple((shape, at_pace(shape, costs, tempo)) for shape, costs in found.shapes)


def at_pace(shape: ReplicaShape, costs: StepCosts, tempo: float) -> StepCosts:
    """Step costs at the scenario's speed: every part of a step as many times as long."""
    times = tempo * SLOWER.get((shape.gpu, shape.model), 1.0)
    return replace(
        costs,
        tokens_s=tuple(times * seconds for seconds in costs.tokens_s),
        prompt_s=times * costs.prompt_s,
        pair_s=times * costs.pair_s,
        seq_s=times * costs.seq_s,
        kv_s=times * costs.kv_s,
    )


def profiled(workload: Workload, told: tuple[RequestLength, ...]) -> ProfileTable:
    """A finite-horizon profile of every shape."""
    found = shapes(told, workload.tempo)
    with ThreadPoolExecutor(2) as pool:
        points = pool.map(
            lambda pair: tuple(_point(pair[1], workload, rate) for rate in PROFILE_RATES), found
        )
        return ProfileTable(
            profiles=tuple(
                Profile(shape=shape, costs=costs, points=seen, evidence=costs.evidence)
                for (shape, costs), seen in zip(found, points, strict=True)
            )
        )


def _point(costs: StepCosts, workload: Workload, rate_per_s: float) -> LoadPoint:
    """What requests see in runs at this rate: several runs at once, each on a replica of its own."""
    each = max(1, round(rate_per_s * workload.requests / RATE_PER_S))
    runs = -(-PROFILE_REQUESTS // each)
    rng = np.random.default_rng((SEED, each))
    prompts, outputs = drawn(workload.lengths, each * runs, rng)
    times = np.concatenate([arrivals(rate_per_s, ARRIVAL_CV, each, SEED + run) for run in range(runs)])
    order = np.argsort(times, kind="stable")
    index = np.repeat(np.arange(runs), each)[order]
    replicas = tuple(FleetReplica(costs=costs, model_index=run, weight=1.0) for run in range(runs))
    seen = simulate_fleet(replicas, times[order], index, prompts[order], outputs[order])
    return LoadPoint(
        rate_per_s=rate_per_s,
        ttft_s=_quantiles(seen.ttft_s),
        tpot_s=_quantiles(seen.tpot_s),
        e2e_s=_quantiles(seen.e2e_s),
    )


def _quantiles(seconds: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(seconds, QUANTILES))
