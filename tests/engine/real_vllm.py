"""A real vLLM on this machine's CPU behaves as the simulator, the router and the launcher take it to.

`make test` does not collect this file: `make engine-test` does, after it has installed the engine.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from check import UTILISATIONS, Checked, check
from engine_client import Ask, answers, client
from engine_server import EngineServer, served
from perf_engine import add_rows
from tiny_llama import LlamaSize, write_llama

from bouted.perf.flags import EngineFlags
from bouted.testing.bench import Bench

pytestmark = pytest.mark.timeout(1500)

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "engine-venv" / "bin" / "python"
CACHE = ROOT / "build" / "engine"
FLAGS = EngineFlags(max_model_len=1024, max_num_seqs=16, max_num_batched_tokens=512)
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


@pytest.fixture(scope="module")
def model() -> Path:
    if not PYTHON.exists():
        pytest.skip("no engine is installed; `make engine-test` installs one")
    folder = CACHE / "tiny-llama"
    write_llama(folder, LlamaSize())
    return folder


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[EngineServer]:
    with served(PYTHON, model, CACHE, FLAGS) as server:
        yield server


@pytest.fixture(scope="module")
def checked(engine: EngineServer) -> Checked:
    found = asyncio.run(check(engine))
    bench = Bench("perf_engine")
    for held in (*found.poisson, found.at_once):
        bench.note(
            f"{held.name}: a step of 8 took {1000 * held.costs.step_s(0, 8, 800):.2f} ms;"
            f" somebody else had the engine's core for {held.load.starved_share:.1%} of the time"
        )
    bench.note(f"fitted at last {found.at_once.costs}")
    add_rows(bench, (found.at_once.all_done(), *(one for held in found.poisson for one in held.compared())))
    bench.finish()
    return found


def test_four_fifths_of_the_measured_steps_are_explained_within_a_sixth(checked: Checked) -> None:
    assert all(held.costs.spread < 1 / 6 for held in checked.poisson)


def test_requests_that_come_all_at_once_take_as_long_as_simulated(checked: Checked) -> None:
    assert checked.at_once.all_done().error_percent < 15


@pytest.mark.parametrize("utilisation", UTILISATIONS[:2])
def test_simulated_percentiles_are_near_measured_ones(checked: Checked, utilisation: float) -> None:
    (held,) = (held for held in checked.poisson if held.name == f"{utilisation:g}")
    assert not {one.what: round(one.error_percent) for one in held.compared() if one.error_percent > 40}


def test_the_engine_and_its_simulation_slow_down_together(checked: Checked) -> None:
    tails = [one for held in checked.poisson for one in held.compared() if one.what.startswith("P95 end")]
    for side in ([one.measured_s for one in tails], [one.simulated_s for one in tails]):
        assert side == sorted(side)


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
    with served(PYTHON, model, CACHE, flags, ("--shutdown-timeout", "60")) as server:
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
