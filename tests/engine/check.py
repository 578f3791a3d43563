"""Measures an engine, loads it at several utilisations, and holds both against the simulator."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import httpx
from agreement import Loaded, capacity_per_s, compared, loaded, poisson_requests, simulated
from engine_client import client
from engine_server import EngineServer
from perf_engine import Compared
from step_times import step_times, warm_up

from bouted.perf.costs import StepCosts
from bouted.testing.engine_costs import Room, Timed, fitted

UTILISATIONS = (0.5, 0.8, 0.95)
REQUESTS = 600
AT_ONCE = 150
ROUNDS = 2
"""Of step times, before each load and after the last: the machine is not the same for ten minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the engine was found to cost, how it took each load, and the time it took for all at once."""

    costs: StepCosts
    loads: tuple[Loaded, ...]
    at_once: Loaded

    def compared(self) -> tuple[Compared, ...]:
        """Every percentile at every utilisation, beside the simulator's."""
        return tuple(
            one
            for utilisation, load in zip(UTILISATIONS, self.loads, strict=True)
            for one in compared(f"{utilisation:g}", load.times, simulated(self.costs, load.requests))
        )

    def all_done(self) -> Compared:
        """Seconds until requests that came all at once were done: right where step costs are right."""
        told = simulated(self.costs, self.at_once.requests)
        return Compared(
            what="the time for all at once",
            measured_s=float(self.at_once.times.e2e_s.max()),
            simulated_s=float(told.e2e_s.max()),
        )


async def check(engine: EngineServer) -> Checked:
    """About eight minutes. AssertionError when the engine does not say how large its KV cache is."""
    room = Room(
        kv_capacity_tokens=_kv_tokens(engine.metrics()),
        max_batch=engine.flags.max_num_seqs,
        max_step_tokens=engine.flags.max_num_batched_tokens,
    )
    seeds = count(1)
    loads: list[Loaded] = []
    async with client(engine.url) as http:
        await warm_up(http, engine.flags)
        timed = await _rounds(http, engine, seeds)
        rate_per_s = capacity_per_s(fitted(timed, room))
        for seed, utilisation in enumerate(UTILISATIONS):
            requests = poisson_requests(REQUESTS, utilisation * rate_per_s, seed)
            loads.append(await loaded(http, engine, requests))
            timed += await _rounds(http, engine, seeds)
        at_once = await loaded(http, engine, poisson_requests(AT_ONCE, math.inf, seed=0))
    return Checked(costs=fitted(timed, room), loads=tuple(loads), at_once=at_once)


async def _rounds(http: httpx.AsyncClient, engine: EngineServer, seeds: Iterator[int]) -> list[Timed]:
    return [timed for _ in range(ROUNDS) for timed in await step_times(http, engine.flags, next(seeds))]


def _kv_tokens(metrics: str) -> int:
    found = re.search(r'vllm:cache_config_info\{.*kv_cache_size_tokens="(\d+)"', metrics)
    assert found, "the engine does not say how large its KV cache is"
    return int(found[1])
