"""A real vLLM on this machine's CPU behaves as the simulator, the router and the launcher take it to.

`make test` does not collect this file: `make engine-test` does, after it has installed the engine.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from agreement import Point, point, saturated_s
from engine_client import Ask, answers, client
from engine_server import EngineServer, served
from perf_engine import Compared, add_rows
from step_times import step_times
from tiny_llama import LlamaSize, write_llama

from bouted.perf.costs import StepCosts
from bouted.perf.flags import EngineFlags
from bouted.testing.bench import Bench
from bouted.testing.engine_costs import Room, fitted

pytestmark = pytest.mark.timeout(1500)

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "engine-venv" / "bin" / "python"
CACHE = ROOT / "build" / "engine"
UTILISATIONS = (0.5, 0.8, 0.95)
FLAGS = EngineFlags(max_model_len=1024, max_num_seqs=16, max_num_batched_tokens=512)
SCHEDULING = ("--no-async-scheduling",)
"""With scheduler and model in one thread, scheduling ahead only tells every token one step late."""
_STARVED = "somebody else had the engine's core for {:.1%} of the time"

NAMES = (
    "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:num_requests_waiting_by_reason",
    "vllm:kv_cache_usage_perc", "vllm:cache_config_info", "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total", "vllm:request_success_total", "vllm:num_preemptions_total",
    "vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total",
    "vllm:time_to_first_token_seconds_bucket", "vllm:inter_token_latency_seconds_bucket",
    "vllm:request_time_per_output_token_seconds_bucket", "vllm:e2e_request_latency_seconds_bucket",
    "vllm:request_queue_time_seconds_bucket", "vllm:request_prefill_time_seconds_bucket",
    "vllm:request_decode_time_seconds_bucket", "vllm:request_inference_time_seconds_bucket",
    "vllm:request_prompt_tokens_bucket", "vllm:request_generation_tokens_bucket",
    "vllm:iteration_tokens_total_bucket",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the engine was found to cost, and how it and its simulation took each load."""

    costs: StepCosts
    saturated_s: tuple[float, float]
    points: tuple[Point, ...]


@pytest.fixture(scope="module")
def model() -> Path:
    if not PYTHON.exists():
        pytest.skip("no engine is installed; `make engine-test` installs one")
    folder = CACHE / "tiny-llama"
    write_llama(folder, LlamaSize())
    return folder


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[EngineServer]:
    with served(PYTHON, model, CACHE, FLAGS, SCHEDULING) as server:
        yield server


@pytest.fixture(scope="module")
def checked(engine: EngineServer) -> Checked:
    found = asyncio.run(_check(engine))
    bench = Bench("perf_engine")
    bench.note(f"fitted {found.costs}")
    for at in found.points:
        bench.note(f"{at.utilisation}: {at.rate_per_s:.2f} req/s; {_STARVED.format(at.starved_share)}")
    add_rows(bench, [one for at in found.points for one in _compared(at)])
    bench.finish()
    return found


async def _check(engine: EngineServer) -> Checked:
    room = Room(
        kv_capacity_tokens=_kv_tokens(engine.metrics()),
        max_batch=FLAGS.max_num_seqs,
        max_step_tokens=FLAGS.max_num_batched_tokens,
    )
    async with client(engine.url) as http:
        costs = fitted(await step_times(http, FLAGS), room)
        at_once = await saturated_s(http, costs, seed=0)
        points = [await point(http, engine, costs, u, seed) for seed, u in enumerate(UTILISATIONS, 1)]
    return Checked(costs=costs, saturated_s=at_once, points=tuple(points))


def _kv_tokens(metrics: str) -> int:
    found = re.search(r'vllm:cache_config_info\{.*kv_cache_size_tokens="(\d+)"', metrics)
    assert found, "the engine does not say how large its KV cache is"
    return int(found[1])


def _compared(at: Point) -> list[Compared]:
    return [
        Compared(
            what=f"{percentile} {name} at {at.utilisation:g}",
            measured_s=getattr(at.measured, key),
            simulated_s=getattr(at.simulated, key),
        )
        for name, field in (("TTFT", "ttft"), ("end-to-end", "e2e"))
        for percentile, key in (("P50", f"{field}_p50_s"), ("P95", f"{field}_p95_s"))
    ]


def test_four_fifths_of_the_measured_steps_are_explained_within_a_sixth(checked: Checked) -> None:
    assert checked.costs.spread < 1 / 6


@pytest.mark.parametrize("utilisation", [0.5, 0.8])
def test_simulated_percentiles_are_near_measured_ones(checked: Checked, utilisation: float) -> None:
    (at,) = (p for p in checked.points if p.utilisation == utilisation)
    wide = {one.what: round(one.error_percent) for one in _compared(at) if one.error_percent > 40}
    assert not wide


def test_the_engine_and_its_simulation_slow_down_together(checked: Checked) -> None:
    for side in ("measured", "simulated"):
        p95 = [getattr(at, side).e2e_p95_s for at in checked.points]
        assert p95 == sorted(p95), f"{side}: {p95}"


def test_the_metrics_bouted_reads_are_there(engine: EngineServer) -> None:
    async def ask() -> None:
        async with client(engine.url) as http:
            await answers(http, [Ask(at_s=0.0, prompt_tokens=5, output_tokens=9)], 0)

    asyncio.run(ask())
    said = engine.metrics()
    missing = [name for name in NAMES if not re.search(rf"^{name}[{{ ]", said, re.MULTILINE)]
    assert not missing
    assert "vllm:gpu_cache_usage_perc" not in said


def test_a_draining_engine_finishes_its_streams_and_takes_no_new_ones(model: Path) -> None:
    flags = EngineFlags(max_model_len=1024, max_num_seqs=4, max_num_batched_tokens=512, enforce_eager=True)
    with served(PYTHON, model, CACHE, flags, (*SCHEDULING, "--shutdown-timeout", "60")) as server:
        asyncio.run(_drain(server))
        deadline = time.monotonic() + 60
        while _answers(server) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not _answers(server), "the server outlives its last stream"


async def _drain(server: EngineServer) -> None:
    async with client(server.url) as http:
        stream = asyncio.create_task(answers(http, [Ask(at_s=0.0, prompt_tokens=5, output_tokens=600)], 0))
        await asyncio.sleep(1.0)
        os.kill(server.pid, signal.SIGTERM)
        await asyncio.sleep(0.5)
        refused = await http.post("/v1/completions", json={"model": "tiny", "prompt": "w5", "max_tokens": 1})
        assert refused.status_code == 500
        (finished,) = await stream
    assert finished.tokens[-1] == 600


def _answers(server: EngineServer) -> bool:
    try:
        return httpx.get(f"{server.url}/health", timeout=5.0).is_success
    except httpx.HTTPError:
        return False
