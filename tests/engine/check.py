"""Measures an engine, loads it at several utilisations, and holds both against the simulator."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import httpx
from agreement import Loaded, Requests, Times, capacity_per_s, compared, loaded, poisson_requests, simulated
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
"""Of step times, before each load and after the last."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """A load, and what steps cost just before and just after it: no machine is the same for ten minutes."""

    name: str
    costs: StepCosts
    load: Loaded

    def compared(self) -> tuple[Compared, ...]:
        """P50 and P95 of TTFT and end to end, measured and simulated."""
        return compared(self.name, self.load.times, simulated(self.costs, self.load.requests))

    def all_done(self) -> Compared:
        """Seconds until the last request was done; for requests that came all at once, step costs alone
        decide it."""
        told = simulated(self.costs, self.load.requests)
        return Compared(
            what=f"the time until all were done, {self.name}",
            measured_s=_all_done_s(self.load.requests, self.load.times),
            simulated_s=_all_done_s(self.load.requests, told),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One load for each of `UTILISATIONS`, and one of requests that came all at once."""

    poisson: tuple[Held, ...]
    at_once: Held


async def check(engine: EngineServer) -> Checked:
    """About eight minutes. AssertionError when the engine does not say how large its KV cache is."""
    room = Room(
        kv_capacity_tokens=_kv_tokens(engine.metrics()),
        max_batch=engine.flags.max_num_seqs,
        max_step_tokens=engine.flags.max_num_batched_tokens,
    )
    seeds = count(1)
    held: list[Held] = []
    async with client(engine.url) as http:
        await warm_up(http, engine.flags)
        before = await _rounds(http, engine, seeds)
        for seed, utilisation in enumerate((*UTILISATIONS, math.inf)):
            rate_per_s = utilisation * capacity_per_s(fitted(before, room))
            requests = poisson_requests(AT_ONCE if math.isinf(rate_per_s) else REQUESTS, rate_per_s, seed)
            load = await loaded(http, engine, requests)
            after = await _rounds(http, engine, seeds)
            held.append(Held(name=f"{utilisation:g}", costs=fitted((*before, *after), room), load=load))
            before = after
    return Checked(poisson=tuple(held[:-1]), at_once=replace(held[-1], name="all at once"))


def _all_done_s(requests: Requests, times: Times) -> float:
    return float((requests.arrivals_s + times.e2e_s).max())


async def _rounds(http: httpx.AsyncClient, engine: EngineServer, seeds: Iterator[int]) -> list[Timed]:
    return [timed for _ in range(ROUNDS) for timed in await step_times(http, engine.flags, next(seeds))]


def _kv_tokens(metrics: str) -> int:
    found = re.search(r'vllm:cache_config_info\{.*kv_cache_size_tokens="(\d+)"', metrics)
    assert found, "the engine does not say how large its KV cache is"
    return int(found[1])
