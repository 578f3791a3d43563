"""A paced engine in its two dialects, as a real process: started by an adapter's own command, and drained."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import httpx
import pytest
from bouted.providers.engine_options import EngineOptions
from bouted.providers.paced_engine import EASY, costs_of, main
from bouted.providers.paced_flags import read_flags
from bouted.providers.sglang import start_of as sglang_start
from bouted.providers.vllm import start_of as vllm_start

from bouted.perf.scrape import EngineScrape, parse_scrape
from bouted.perf.shapes import Engine
from bouted.testing.orders import EASY_COSTS, a_replica_order
from bouted.testing.processes import until

PACED = (sys.executable, "-P", "-m", "bouted.providers.paced_engine")
STARTS = {Engine.VLLM: vllm_start, Engine.SGLANG: sglang_start}
TOKEN_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """An engine that is ready."""

    process: subprocess.Popen[bytes]
    http: httpx.Client

    def ask(self, tokens: int) -> httpx.Response:
        """A completion in one piece."""
        body = {"model": "small", "prompt": "hello " * 100, "max_tokens": tokens}
        return self.http.post("/v1/completions", json=body)

    def health(self) -> int:
        """0 where nothing listens."""
        with suppress(httpx.HTTPError):
            return self.http.get("/health").status_code
        return 0

    def scrape(self) -> EngineScrape:
        """What bouted reads of its metrics."""
        read = parse_scrape(self.http.get("/metrics").text, datetime.now(UTC))
        assert read is not None
        return read


@contextmanager
def paced(engine: Engine, *, shutdown_s: int = 20, **flags: Any) -> Iterator[Paced]:
    """Started with the very command that an adapter makes for the order."""
    order = a_replica_order()
    order = replace(order, shape=replace(order.shape, engine=engine), flags=replace(order.flags, **flags))
    options = EngineOptions(engine=engine, version="0", program=PACED, fetch=False, shutdown_s=shutdown_s)
    start = STARTS[engine](order, options, secrets={})
    assert start.steps == ()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    argv = [word.replace("{port}", str(port)) for word in start.argv]
    process = subprocess.Popen(argv, env={**start.env, "PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            running = Paced(process=process, http=http)
            until(lambda: running.health() == 200)
            yield running
    finally:
        process.kill()
        process.wait()


class Stream:
    """A stream that is read in the background: its events, and when it has ended."""

    def __init__(self, engine: Paced, tokens: int) -> None:
        self.events: list[str] = []
        self._body = {"model": "small", "prompt": "hello", "max_tokens": tokens, "stream": True}
        self._url = str(engine.http.base_url).rstrip("/")
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()
        until(lambda: len(self.events) > 2)

    def _read(self) -> None:
        with httpx.stream("POST", f"{self._url}/v1/completions", json=self._body, timeout=30) as reply:
            for line in reply.iter_lines():
                if line:
                    self.events.append(line.removeprefix("data: "))

    def ended(self) -> list[str]:
        """All of its events, once it has ended."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.events


@pytest.mark.parametrize("engine", Engine)
def test_it_serves_at_its_pace_and_its_metrics_are_read(engine: Engine) -> None:
    with paced(engine) as running:
        assert running.http.get("/v1/models").json()["data"][0]["id"] == "small"
        began = time.monotonic()
        reply = running.ask(20)
        assert reply.json()["usage"]["completion_tokens"] == 20
        assert time.monotonic() - began > 19 * TOKEN_S
        chat = {"model": "small", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        assert running.http.post("/v1/chat/completions", json=chat).status_code == 200
        seen = running.scrape()
    assert (seen.output_tokens, seen.e2e.count, seen.tpot.count, seen.queue.count) == (21, 2, 1, 2)
    assert (seen.failed, seen.preempted, seen.running, seen.waiting) == (0, 0, 0, 0)
    assert seen.tpot.mean == pytest.approx(TOKEN_S, rel=0.5)


@pytest.mark.parametrize("engine", Engine)
def test_metrics_bear_the_names_of_the_engine_alone(engine: Engine) -> None:
    with paced(engine) as running:
        running.ask(2)
        text = running.http.get("/metrics").text
    names = {line.split("{")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {name.partition(":")[0] for name in names} == {str(engine)}


@pytest.mark.parametrize("engine", Engine)
def test_no_more_requests_run_at_once_than_the_flags_allow(engine: Engine) -> None:
    with paced(engine, max_num_seqs=1) as running:
        first = Stream(running, 100)
        second = Thread(target=running.ask, args=(2,))
        second.start()
        until(lambda: running.scrape().waiting == 1)
        assert running.scrape().running == 1
        first.ended()
        second.join()


def test_a_draining_vllm_finishes_its_streams_and_answers_new_requests_with_500() -> None:
    with paced(Engine.VLLM) as running:
        stream = Stream(running, 100)
        running.process.send_signal(signal.SIGTERM)
        until(lambda: running.ask(1).status_code == 500)
        refused = running.ask(1).json()["error"]
        assert (refused["code"], refused["message"]) == (500, "cannot schedule new futures after shutdown")
        assert running.health() == 200
        assert running.scrape().running == 1
        events = stream.ended()
        assert events[-1] == "[DONE]"
        assert len(events) == 102
        assert running.process.wait(10) == 0


def test_a_vllm_that_runs_out_of_time_ends_its_streams_with_an_error() -> None:
    with paced(Engine.VLLM, shutdown_s=0) as running:
        stream = Stream(running, 2000)
        running.process.send_signal(signal.SIGTERM)
        events = stream.ended()
        assert json.loads(events[-2])["error"]["code"] == 500
        assert running.process.wait(10) == 0


def test_a_draining_sglang_says_503_on_health_and_ends_with_its_last_request() -> None:
    with paced(Engine.SGLANG, shutdown_s=0) as running:
        stream = Stream(running, 100)
        running.process.send_signal(signal.SIGTERM)
        until(lambda: running.health() == 503)
        assert running.ask(1).status_code == 200
        assert len(stream.ended()) == 102
        assert running.process.wait(10) == 0


def test_without_its_flag_sglang_tells_no_metrics() -> None:
    assert not read_flags(["--model-path", "m"]).metrics
    assert read_flags(["--model-path", "m", "--enable-metrics"]).metrics


def test_the_environment_sets_the_pace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = read_flags(["m"])
    assert costs_of(flags, {}) == EASY
    assert replace(EASY_COSTS, evidence=EASY.evidence) == EASY
    monkeypatch.setenv("BOUTED_PACE", '{"tokens": []}')
    assert main(["m"]) == 2
    assert "BOUTED_PACE" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["m", "--kv-cash-dtype", "fp8"], ["--model-path", "m", "--max-model-len", "9"]]
)
def test_a_flag_that_the_engine_does_not_know_is_refused(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read_flags(argv)
    assert "unrecognized arguments" in capsys.readouterr().err
