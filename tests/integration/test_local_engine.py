"""A local engine as its clients and its launcher meet it: a real process over real HTTP."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from bouted.providers.local_engine import EXIT_TAKEN
from bouted.providers.local_files import FOREVER, EngineSpec, ReplicaFiles, read_json, write_lease
from bouted.providers.local_process import python_module
from prometheus_client.parser import text_string_to_metric_families

from bouted.perf.batch import Batch
from bouted.perf.costs import StepCosts
from bouted.testing.orders import EASY_COSTS
from bouted.testing.processes import end_engines, until

HI = [{"role": "user", "content": "hello " * 100}]
SLOW = replace(EASY_COSTS, tokens=(0.0, 1e4), tokens_s=(0.101, 0.101), max_batch=2)


class Running:
    """An engine that a test started by hand."""

    def __init__(self, folder: Path, costs: StepCosts, shutdown_timeout_s: float) -> None:
        self.files = ReplicaFiles(folder=folder, name="r")
        spec = EngineSpec(
            replica="r",
            node="n",
            shape="small@L4:tp1pp1:bf16:vllm",
            served_model="small",
            costs=costs,
            time_scale=1.0,
            shutdown_timeout_s=shutdown_timeout_s,
        )
        spec.write(self.files.spec)
        write_lease(folder, FOREVER)
        self.process = self.another()
        until(self.files.endpoint.exists)
        self.client = httpx.Client(base_url=read_json(self.files.endpoint)["endpoint"], timeout=30)
        until(lambda: self.client.get("/health").status_code == 200)

    def another(self) -> subprocess.Popen[bytes]:
        """Start an engine for the same replica."""
        command = python_module("bouted.providers.local_engine", "--spec", str(self.files.spec))
        with self.files.log.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def chat(self, **fields: Any) -> httpx.Response:
        return self.client.post("/v1/chat/completions", json={"model": "small", "messages": HI, **fields})

    @contextmanager
    def stream(self, **fields: Any) -> Iterator[Iterator[Any]]:
        """The events of a chat stream, as JSON."""
        body = {"model": "small", "messages": HI, "stream": True, **fields}
        with self.client.stream("POST", "/v1/chat/completions", json=body) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = (line.removeprefix("data: ") for line in response.iter_lines() if line)
            yield (json.loads(line) for line in lines if line != "[DONE]")

    def load(self) -> int:
        load: int = self.client.get("/load").json()["server_load"]
        return load

    def metrics(self) -> dict[str, float]:
        """Samples by name and finished_reason; buckets are left out."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        return {
            sample.name + sample.labels.get("finished_reason", ""): sample.value
            for family in families
            for sample in family.samples
            if not sample.name.endswith("_bucket")
        }

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def _running(
    folder: Path, costs: StepCosts = EASY_COSTS, shutdown_timeout_s: float = 5.0
) -> Iterator[Running]:
    try:
        with closing(Running(folder, costs, shutdown_timeout_s)) as engine:
            yield engine
    finally:
        end_engines(folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One engine for the tests that leave it as they found it."""
    with _running(tmp_path_factory.mktemp("shared")) as engine:
        yield engine


def test_it_names_the_model_it_serves(shared: Running) -> None:
    (card,) = shared.client.get("/v1/models").json()["data"]
    assert card["id"] == "small"


def test_a_chat_has_as_many_tokens_as_were_asked_for(shared: Running) -> None:
    body = shared.chat(max_tokens=5, ignore_eos=True, unknown={"a": 1}).json()
    assert len(body["choices"][0]["message"]["content"].split()) == 5
    assert body["usage"] == {"prompt_tokens": 150, "completion_tokens": 5, "total_tokens": 155}


def test_a_completion_has_text(shared: Running) -> None:
    body = shared.client.post("/v1/completions", json={"prompt": "hello", "max_tokens": 3}).json()
    assert body["object"] == "text_completion"
    assert len(body["choices"][0]["text"].split()) == 3


def test_a_stream_comes_token_by_token_and_ends_with_usage(shared: Running) -> None:
    with shared.stream(max_tokens=20, stream_options={"include_usage": True}) as events:
        arrivals = [(time.monotonic(), event) for event in events]
    *chunks, (_, usage) = arrivals
    assert len(chunks) == 22
    assert chunks[-1][1]["choices"][0]["finish_reason"] == "length"
    assert usage["usage"]["completion_tokens"] == 20
    assert chunks[-1][0] - chunks[0][0] > 0.9 * 19 * 0.01


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_takes_as_long_as_the_batch_says(shared: Running, stream: bool) -> None:
    batch = Batch(EASY_COSTS)
    batch.add(1, 150, 100)
    nominal_s = 0.0
    while (step_s := batch.begin_step()) is not None:
        nominal_s += step_s
        batch.end_step()
    took: list[float] = []
    while len(took) < 5 and not (took and took[-1] < 1.15 * nominal_s):
        began = time.monotonic()
        assert shared.chat(max_tokens=100, stream=stream).status_code == 200
        took.append(time.monotonic() - began)
    assert nominal_s <= min(took) < 1.15 * nominal_s


def test_the_first_token_is_not_held_back(shared: Running) -> None:
    waits: list[float] = []
    while len(waits) < 10 and not (waits and waits[-1] < 0.03):
        began = time.monotonic()
        with shared.stream(max_tokens=10) as events:
            next(events)
            waits.append(time.monotonic() - began)
            assert len(list(events)) == 11
    assert 0.01 < min(waits) < 0.03


def test_requests_share_the_engine(shared: Running) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: shared.chat(max_tokens=50).status_code, range(16)))
    assert answers == [200] * 16
    assert time.monotonic() - began < 16 * 0.5 / 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{", 400),
        ("/v1/completions", b"{}", 400),
        ("/v1/completions", b'{"prompt": "a", "model": "large"}', 404),
        ("/v1/completions", b'{"prompt": "a", "max_tokens": 100000}', 400),
    ],
)
def test_an_error_has_the_shape_that_clients_know(
    shared: Running, path: str, body: bytes, status: int
) -> None:
    response = shared.client.post(path, content=body)
    assert response.status_code == response.json()["error"]["code"] == status
    assert response.json()["error"]["message"]


def test_metrics_tell_what_was_served(shared: Running) -> None:
    before = shared.metrics()
    shared.chat(max_tokens=7)
    after = shared.metrics()
    rise = {name: after[name] - before[name] for name in after}
    assert rise["vllm:prompt_tokens_total"] == 150
    assert rise["vllm:generation_tokens_total"] == 7
    assert rise["vllm:request_success_totallength"] == 1
    assert rise["vllm:time_to_first_token_seconds_count"] == 1
    assert rise["vllm:inter_token_latency_seconds_count"] == 6
    assert rise["vllm:e2e_request_latency_seconds_sum"] >= 0.07
    assert after["vllm:num_requests_running"] == after["vllm:num_requests_waiting"] == 0
    assert after["vllm:kv_cache_usage_perc"] == 0


def test_it_is_small(shared: Running) -> None:
    status = Path(f"/proc/{shared.process.pid}/status").read_text()
    (resident,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 60 * 1024


def test_a_client_that_goes_away_frees_its_place(tmp_path: Path) -> None:
    with _running(tmp_path, SLOW) as engine:
        with engine.stream(max_tokens=10_000) as running, engine.stream(max_tokens=10_000):
            next(running)
            with pytest.raises(httpx.ReadTimeout):
                engine.client.post("/v1/completions", json={"prompt": "waits in the queue"}, timeout=0.3)
            until(lambda: engine.load() == 2)
            assert engine.metrics()["vllm:num_requests_waiting"] == 0
            assert engine.metrics()["vllm:kv_cache_usage_perc"] > 0
        until(lambda: engine.load() == 0)
        assert engine.metrics()["vllm:request_success_totalabort"] == 3


def test_a_second_engine_for_the_same_replica_leaves_at_once(tmp_path: Path) -> None:
    with _running(tmp_path) as engine:
        assert engine.another().wait(timeout=30) == EXIT_TAKEN
        assert engine.chat(max_tokens=1).status_code == 200


def test_asked_to_end_it_finishes_what_runs_and_refuses_what_is_new(tmp_path: Path) -> None:
    with _running(tmp_path) as engine:
        with engine.stream(max_tokens=100) as events:
            next(events)
            engine.process.terminate()
            until(lambda: engine.chat(max_tokens=1).status_code == 503)
            refused = engine.chat(max_tokens=1)
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["error"]["code"] == 503
            rest = list(events)
        assert rest[-1]["choices"][0]["finish_reason"] == "length"
        assert len(rest) == 101
        assert engine.process.wait(timeout=10) == 0


def test_what_does_not_finish_in_time_is_told_so(tmp_path: Path) -> None:
    with _running(tmp_path, shutdown_timeout_s=0.2) as engine, ThreadPoolExecutor(1) as pool:
        whole = pool.submit(engine.chat, max_tokens=10_000)
        with engine.stream(max_tokens=10_000) as events:
            next(events)
            until(lambda: engine.load() == 2)
            engine.process.terminate()
            *_, last = events
        assert last["error"]["code"] == 500
        assert whole.result(timeout=10).status_code == 503
        assert engine.process.wait(timeout=10) == 0


def test_it_ends_itself_when_its_lease_runs_out(tmp_path: Path) -> None:
    with _running(tmp_path) as engine:
        write_lease(tmp_path, datetime.now(UTC) + timedelta(seconds=1))
        assert engine.process.wait(timeout=30) == 0


def test_it_ends_itself_when_its_node_is_gone(tmp_path: Path) -> None:
    with _running(tmp_path) as engine:
        (tmp_path / "lease.json").unlink()
        assert engine.process.wait(timeout=30) == 0


def test_it_does_not_start_when_it_is_not_wanted_any_more(tmp_path: Path) -> None:
    command = python_module("bouted.providers.local_engine", "--spec", str(tmp_path / "r.spec.json"))
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0
    assert b"not wanted" in done.stderr
    assert not (tmp_path / "r.endpoint.json").exists()
