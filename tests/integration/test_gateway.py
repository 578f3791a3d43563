"""The gateway as its clients meet it: a real process between real engines."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from bouted.providers.local_files import FOREVER, EngineSpec, ReplicaFiles, read_json, write_lease
from bouted.providers.local_process import python_module

from bouted.daemon.traffic import Traffic
from bouted.gateway.publish import write_table
from bouted.gateway.table import Route, RouteTable
from bouted.quality.fit import fit_scorer
from bouted.quality.route_split import RouteRule, RouteSplit
from bouted.quality.scorer import Scorer
from bouted.quality.synthetic import synthetic_records
from bouted.testing.orders import EASY_COSTS
from bouted.testing.processes import end_engines, until
from bouted.workload.declared import declared_profile

CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "hello " * 100}]
DECLARED = declared_profile(
    rate_per_s=5.0, prompt_tokens=500, output_tokens=100, arrival_cv=1.0, most_tokens=8192, seed=1
)
SERVE = """
import sys
from pathlib import Path
from bouted.gateway.serve import serve
serve(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
"""


class Engine:
    """A paced engine that a test started."""

    def __init__(self, folder: Path, name: str, model: str) -> None:
        self.name, self.model = name, model
        files = ReplicaFiles(folder=folder, name=name)
        EngineSpec(
            replica=name,
            node="n",
            shape=f"{model}@L4:tp1pp1:bf16:vllm",
            served_model=model,
            costs=EASY_COSTS,
            time_scale=1.0,
            shutdown_timeout_s=5.0,
        ).write(files.spec)
        write_lease(folder, FOREVER)
        command = python_module("bouted.providers.local_engine", "--spec", str(files.spec))
        with files.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(files.endpoint.exists)
        self.url = read_json(files.endpoint)["endpoint"]
        until(lambda: self.load() == 0)

    def load(self) -> int:
        """Requests it works on."""
        load: int = httpx.get(f"{self.url}/load", trust_env=False).json()["server_load"]
        return load

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Gateway:
    """A gateway over `folder`."""

    def __init__(self, folder: Path, *words: str, port: int = 0) -> None:
        self.folder = folder
        self.version = 0
        command = [sys.executable, "-c", SERVE, str(folder), str(port), *words]
        with (folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        self.said = self.process.stdout
        url = self.said.readline().decode().split()[-1]
        self.client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        until(lambda: self.client.get("/metrics").status_code == 200)

    def route(
        self,
        *targets: tuple[str, str, str],
        scorer_file: str = "none.json",
        shares: Mapping[str, float] | None = None,
    ) -> None:
        """Publish routes to these (replica, model, endpoint), and wait until they are followed."""
        self.version += 1
        split = RouteSplit(
            models=("small", "large"),
            shares=(0.5, 0.5),
            rules=(RouteRule(thresholds=(0.5,)),),
            scorer_hash="x",
        )
        routes = (
            Route(replica=r, model=m, endpoint=url, weight=1.0, share=(shares or {}).get(r))
            for r, m, url in targets
        )
        table = RouteTable(
            version=self.version,
            plan_id="p",
            published_at=datetime(2026, 7, 1, tzinfo=UTC),
            split=split,
            routes=tuple(routes),
            scorer_file=scorer_file,
        )
        write_table(self.folder / "routes.json", table)
        until(lambda: self.client.get("/health").json()["version"] == self.version)

    def to(self, *engines: Engine) -> None:
        self.route(*((engine.name, engine.model, engine.url) for engine in engines))

    def chat(self, **fields: Any) -> httpx.Response:
        return self.client.post(CHAT, json={"messages": HI, "ignore_eos": True, **fields})

    @contextmanager
    def stream(self, **fields: Any) -> Iterator[tuple[httpx.Response, Iterator[Any]]]:
        """The answer, and its events as JSON."""
        body = {"messages": HI, "stream": True, "ignore_eos": True, **fields}
        with self.client.stream("POST", CHAT, json=body) as answer:
            lines = (line.removeprefix("data: ") for line in answer.iter_lines() if line)
            yield answer, (json.loads(line) for line in lines if line != "[DONE]")

    def samples(self, after: int = 0) -> list[dict[str, Any]]:
        page = self.client.get("/-/samples", params={"after": after}).json()
        samples: list[dict[str, Any]] = page["samples"]
        return samples

    def metric(self, line: str) -> bool:
        return line in self.client.get("/metrics").text.splitlines()

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()
        self.said.close()


Start = Callable[..., Gateway]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts gateways over `tmp_path`."""
    with ExitStack() as stack:

        def one(*words: str, port: int = 0) -> Gateway:
            gateway = Gateway(tmp_path, *words, port=port)
            stack.callback(gateway.close)
            return gateway

        yield one


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[[str, str], Engine]]:
    """Starts engines."""
    folder = tmp_path / "engines"
    folder.mkdir()
    with ExitStack() as stack:
        stack.callback(end_engines, folder)

        def one(name: str, model: str) -> Engine:
            engine = Engine(folder, name, model)
            stack.callback(engine.kill)
            return engine

        yield one


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway over two engines, for tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("shared")
    scorer, _ = fit_scorer(synthetic_records(1, 300), ("small", "large"), 1)
    scorer.save(folder / scorer.file_name)
    with ExitStack() as stack:
        stack.callback(end_engines, folder)
        gateway = Gateway(folder)
        stack.callback(gateway.close)
        engines = (Engine(folder, "s1", "small"), Engine(folder, "l1", "large"))
        for engine in engines:
            stack.callback(engine.kill)
        gateway.route(*((e.name, e.model, e.url) for e in engines), scorer_file=scorer.file_name)
        yield gateway


class Upstream(ThreadingHTTPServer):
    """A replica whose answers a test writes, and that remembers what it was asked."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.asked: list[tuple[dict[str, str], dict[str, Any]]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                asked.append(({k.lower(): v for k, v in self.headers.items()}, body))
                answer(self)

            def log_message(self, *args: object) -> None:
                return

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def upstream(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Upstream]:
    with Upstream(answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield server
        finally:
            server.shutdown()


def say(
    handler: BaseHTTPRequestHandler, status: int, body: bytes = b"{}", kind: str = "application/json"
) -> None:
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


# Answers


def test_a_chat_is_answered_and_says_who_answered(shared: Gateway) -> None:
    answer = shared.chat(model="small", max_tokens=5)
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] == 5
    assert answer.json()["model"] == "small"
    assert answer.headers["x-bouted-model"] == "small"
    assert answer.headers["x-bouted-replica"] == "s1"
    assert 0 <= float(answer.headers["x-bouted-score"]) <= 1


def test_a_completion_is_answered(shared: Gateway) -> None:
    body = {"model": "large", "prompt": "hello", "max_tokens": 3, "ignore_eos": True}
    answer = shared.client.post("/v1/completions", json=body)
    assert answer.json()["object"] == "text_completion"
    assert answer.headers["x-bouted-replica"] == "l1"


def test_a_stream_comes_token_by_token(shared: Gateway) -> None:
    with shared.stream(model="small", max_tokens=20) as (answer, events):
        arrivals = [(time.monotonic(), event) for event in events]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert len(arrivals) == 22
    assert arrivals[-1][0] - arrivals[0][0] > 0.9 * 19 * 0.01


def test_the_first_token_is_not_held_back(shared: Gateway) -> None:
    waits: list[float] = []
    while len(waits) < 20 and not (waits and min(waits) < 0.03):
        began = time.monotonic()
        with shared.stream(model="small", max_tokens=2) as (_, events):
            next(events)
            waits.append(time.monotonic() - began)
            list(events)
    assert 0.01 < min(waits) < 0.03


def test_harder_prompts_go_to_the_abler_model(shared: Gateway) -> None:
    scorer = Scorer.load(next(shared.folder.glob("scorer-*.json")))
    for record in synthetic_records(9, 12):
        messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": record.prompt}]
        answer = shared.client.post(CHAT, json={"model": "auto", "messages": messages, "max_tokens": 1})
        expected = "small" if scorer.judge(record.prompt).score < 0.5 else "large"
        assert answer.headers["x-bouted-model"] == answer.json()["model"] == expected
        assert float(answer.headers["x-bouted-score"]) == pytest.approx(
            scorer.judge(record.prompt).score, abs=1e-4
        )


@pytest.mark.parametrize("at_once", [1, 8], ids=["one at a time", "eight at once"])
def test_a_replica_on_trial_gets_its_share_of_the_queries(start: Start, at_once: int) -> None:
    with upstream(lambda handler: say(handler, 200)) as server:
        gateway = start()
        names = ("new", "a", "b")
        gateway.route(*((name, "small", server.url) for name in names), shares={"new": 0.05})
        with ThreadPoolExecutor(at_once) as pool:
            answers = list(pool.map(lambda _: gateway.chat(model="small", max_tokens=1), range(200)))
    got = Counter(answer.headers["x-bouted-replica"] for answer in answers)
    assert 8 <= got["new"] <= 12
    assert sum(got.values()) == 200


def test_a_replica_that_fails_is_named_in_the_sample_of_the_query_that_another_one_answered(
    start: Start,
) -> None:
    with (
        upstream(lambda handler: say(handler, 500)) as bad,
        upstream(lambda handler: say(handler, 200)) as good,
    ):
        gateway = start()
        gateway.route(("bad", "small", bad.url), ("good", "small", good.url), shares={"bad": 1.0})
        assert gateway.chat(model="small", max_tokens=1).status_code == 200
        until(gateway.samples)
        (sample,) = gateway.samples()
    assert (sample["replica"], sample["ok"]) == ("good", True)
    assert sample["failed_by"] == ["bad"]


def test_the_models_are_listed(shared: Gateway) -> None:
    cards = shared.client.get("/v1/models").json()["data"]
    assert [card["id"] for card in cards] == ["auto", "small", "large"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", CHAT, b"{", 400),
        ("POST", CHAT, b"[1]", 400),
        ("POST", "/v1/completions", b'{"model": "small", "prompt": "a", "max_tokens": 1000000}', 400),
        ("GET", CHAT, b"", 405),
        ("GET", "/v1/nothing", b"", 404),
        ("GET", "/-/samples?after=x", b"", 400),
    ],
)
def test_an_error_has_the_shape_that_clients_know(
    shared: Gateway, method: str, path: str, body: bytes, status: int
) -> None:
    answer = shared.client.request(method, path, content=body)
    assert answer.status_code == answer.json()["error"]["code"] == status
    assert answer.json()["error"]["message"]


def test_every_finished_request_becomes_a_sample(shared: Gateway) -> None:
    seen = len(shared.samples())
    shared.chat(model="small", max_tokens=7)
    with shared.stream(model="large", max_tokens=7) as (_, events):
        list(events)
    shared.chat(model="small", max_tokens=1_000_000)  # the client's own mistake
    whole, streamed = shared.samples(after=seen)
    assert (whole["model"], whole["prompt_tokens"], whole["output_tokens"]) == ("small", 150, 7)
    assert (streamed["model"], streamed["prompt_tokens"], streamed["output_tokens"]) == ("large", 150, 7)
    assert whole["ok"]
    assert streamed["ok"]
    assert whole["ttft_s"] == whole["e2e_s"] > 0.05
    assert 0.01 < streamed["ttft_s"] < streamed["e2e_s"]
    arrivals = shared.client.get("/-/samples").json()["arrivals"]
    assert len(arrivals) >= seen + 3
    assert arrivals == sorted(arrivals)
    assert abs(arrivals[-1] - time.time()) < 60


def test_a_client_that_leaves_frees_its_place_and_is_no_failure(shared: Gateway) -> None:
    before = shared.samples()
    with shared.stream(model="small", max_tokens=10_000) as (_, events):
        next(events)
        assert shared.metric('bouted_inflight{replica="s1"} 1.0')
    with pytest.raises(httpx.ReadTimeout):
        shared.client.post(CHAT, json={"model": "small", "messages": HI, "max_tokens": 9999}, timeout=0.3)
    until(lambda: not shared.metric('bouted_inflight{replica="s1"} 1.0'))
    until(lambda: shared.metric('bouted_requests_total{code="499",model="small"} 2.0'))
    assert shared.samples() == before


# Failures


def test_another_replica_answers_for_one_that_died(start: Start, engine: Callable[..., Engine]) -> None:
    gateway, first, second = start(), engine("s1", "small"), engine("s2", "small")
    gateway.to(first, second)
    assert gateway.chat(max_tokens=1).headers["x-bouted-replica"] == "s1"
    first.kill()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: gateway.chat(max_tokens=2), range(20)))
    assert {(a.status_code, a.headers["x-bouted-replica"]) for a in answers} == {(200, "s2")}
    assert all(sample["ok"] for sample in gateway.samples())


def test_an_abler_model_answers_when_a_model_has_no_replica_left(
    start: Start, engine: Callable[..., Engine]
) -> None:
    gateway, small, large = start(), engine("s1", "small"), engine("l1", "large")
    gateway.to(small, large)
    small.kill()
    answer = gateway.chat(model="small", max_tokens=1)
    assert (answer.status_code, answer.headers["x-bouted-model"]) == (200, "large")
    gateway.to(large)
    assert gateway.chat(model="small", max_tokens=1).json()["model"] == "large"


def test_a_stream_whose_replica_dies_ends_with_an_error(start: Start, engine: Callable[..., Engine]) -> None:
    gateway, only = start(), engine("s1", "small")
    gateway.to(only)
    with gateway.stream(max_tokens=10_000) as (_, events):
        next(events)
        only.kill()
        *_, last = events
    assert last["error"]["message"] == "the replica broke off"
    until(gateway.samples)
    (sample,) = gateway.samples()
    assert not sample["ok"]
    refused = gateway.chat(max_tokens=1)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"]["type"] == "server_error"
    assert "bouted_inflight{" not in gateway.client.get("/metrics").text


def test_a_replica_that_drains_is_not_asked_twice(start: Start, engine: Callable[..., Engine]) -> None:
    gateway, first, second = start(), engine("s1", "small"), engine("s2", "small")
    gateway.to(first, second)
    with gateway.stream(max_tokens=100) as (answer, events):
        next(events)
        first.process.terminate()
        until(lambda: httpx.post(f"{first.url}{CHAT}", json={"messages": HI}).status_code == 503)
        with ThreadPoolExecutor(4) as pool:
            others = list(pool.map(lambda _: gateway.chat(max_tokens=1), range(8)))
        rest = list(events)
    assert answer.headers["x-bouted-replica"] == "s1"
    assert rest[-1]["choices"][0]["finish_reason"] == "length"
    assert {(a.status_code, a.headers["x-bouted-replica"]) for a in others} == {(200, "s2")}


def test_a_replica_that_fails_is_tried_once_and_its_last_word_passed_on(start: Start) -> None:
    gateway = start()
    with upstream(lambda handler: say(handler, 500, b'{"error": "first"}')) as bad:
        gateway.route(("s1", "small", bad.url))
        answer = gateway.chat(model="small")
        assert (answer.status_code, answer.json()) == (500, {"error": "first"})
        assert len(bad.asked) == 1
        with upstream(lambda handler: say(handler, 200, b'{"ok": true}')) as good:
            gateway.route(("s1", "small", bad.url), ("s2", "small", good.url))
            assert gateway.chat(model="small").json() == {"ok": True}
            assert len(bad.asked) == 2


def test_an_error_instead_of_a_first_token_is_tried_elsewhere(
    start: Start, engine: Callable[..., Engine]
) -> None:
    gateway, good = start(), engine("s2", "small")
    error = b'data: {"error": {"message": "ending", "code": 500}}\n\ndata: [DONE]\n\n'
    with upstream(lambda handler: say(handler, 200, error, "text/event-stream")) as ending:
        gateway.route(("s1", "small", ending.url), ("s2", "small", good.url))
        with gateway.stream(max_tokens=3) as (answer, events):
            assert len(list(events)) == 5
        assert answer.headers["x-bouted-replica"] == "s2"
        assert len(ending.asked) == 1
    until(gateway.samples)
    assert all(sample["ok"] for sample in gateway.samples())


def test_an_error_later_in_a_stream_is_passed_on_and_counted(start: Start) -> None:
    gateway = start()
    body = (
        b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error": {"message": "x", "code": 500}}\n\n'
    )
    with upstream(lambda handler: say(handler, 200, body, "text/event-stream")) as failing:
        gateway.route(("s1", "small", failing.url))
        with gateway.stream() as (answer, events):
            *_, last = events
        assert (answer.status_code, last["error"]["message"]) == (200, "x")
    until(lambda: gateway.metric('bouted_requests_total{code="502",model="small"} 1.0'))
    assert [sample["ok"] for sample in gateway.samples()] == [False]


def test_a_stream_cut_within_an_event_still_ends_with_a_whole_one(start: Start) -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        part = b'data: {"choices":[]}\n\ndata: {"cho'
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        handler.close_connection = True

    gateway = start()
    with upstream(cut) as failing:
        gateway.route(("s1", "small", failing.url))
        lines = gateway.client.post(CHAT, json={"stream": True, "messages": HI}).text.split("\n\n")
    assert lines[:2] == ['data: {"choices":[]}', 'data: {"cho']
    assert json.loads(lines[2].removeprefix("data: "))["error"]["message"] == "the replica broke off"


def test_ready_means_that_every_model_with_a_share_is_served(start: Start) -> None:
    gateway = start()
    said = gateway.client.get("/ready")
    assert (said.status_code, said.json()["status"]) == (503, "no routes")
    gateway.route(("s1", "small", "http://127.0.0.1:1"))
    said = gateway.client.get("/ready")
    assert (said.status_code, said.json()["status"]) == (503, "no replica: large")
    scorer, _ = fit_scorer(synthetic_records(1, 50), ("small", "large"), 1)
    scorer.save(gateway.folder / "scorer.json")
    both = (("s1", "small", "http://127.0.0.1:1"), ("l1", "large", "http://127.0.0.1:1"))
    gateway.route(*both)
    assert gateway.client.get("/ready").json()["status"] == "no scorer"
    gateway.route(*both, scorer_file="scorer.json")
    assert gateway.client.get("/ready").status_code == 200
    assert gateway.metric('bouted_route_share{model="small"} 0.5')


def test_a_key_is_never_passed_on_and_only_the_model_changes(start: Start, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("secret-1\n")
    gateway = start(str(tmp_path / "keys"))
    with upstream(lambda handler: say(handler, 200)) as replica:
        gateway.route(("s1", "small", replica.url))
        body = {"model": "auto", "messages": HI, "logit_bias": {"5": -1.5}, "user": "ü"}
        for shown in ({}, {"authorization": "Bearer secret-2"}, {"authorization": "Basic secret-1"}):
            refused = gateway.client.post(CHAT, json=body, headers=shown)
            assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
        assert gateway.client.get("/v1/models").status_code == 401
        for path in ("/health", "/metrics", "/-/samples"):  # samples are open on this machine
            assert gateway.client.get(path).status_code == 200
        headers = {"authorization": "Bearer secret-1", "x-request-id": "r-7", "cookie": "c"}
        assert gateway.client.post(CHAT, json=body, headers=headers).status_code == 200
    ((sent, received),) = replica.asked
    assert received == {**body, "model": "small"}
    assert "authorization" not in sent
    assert "cookie" not in sent
    assert sent["x-request-id"] == "r-7"
    log = (tmp_path / "gateway.log").read_text()
    assert "secret" not in log
    assert "hello" not in log


# What the daemon learns


async def _heard(traffic: Traffic, count: int) -> None:
    """Polls until so many requests are counted, and once more: a gateway notes a request after its last
    byte has gone out."""
    deadline = time.monotonic() + 10
    while traffic.ok < count and time.monotonic() < deadline:
        await traffic.poll()
    await traffic.poll()


def test_the_daemon_counts_each_request_once_over_a_restart_of_the_gateway(
    start: Start, engine: Callable[..., Engine]
) -> None:
    async def watch() -> None:
        gateway, only = start(), engine("s1", "small")
        traffic = Traffic(str(gateway.client.base_url).rstrip("/"))
        try:
            gateway.to(only)
            for count in (3, 6):
                for _ in range(3):
                    gateway.chat(max_tokens=1)
                await _heard(traffic, count)
                assert (traffic.ok, len(traffic.samples), len(traffic.arrivals)) == (count,) * 3
            now_s = time.time()
            seen = traffic.workload(DECLARED, now_s, 60.0)
            port = gateway.client.base_url.port
            gateway.close()
            await traffic.poll()
            assert traffic.workload(DECLARED, now_s + 3600, 60.0) == seen, "no answer is not no load"
            again = start(port=port or 0)
            again.to(only)
            again.chat(max_tokens=1)
            await _heard(traffic, 7)
            assert (traffic.ok, traffic.failed, len(traffic.arrivals)) == (7, 0, 7)
        finally:
            await traffic.close()

    asyncio.run(watch())


# Changes


def test_it_waits_for_routes_and_outlives_broken_ones(start: Start, engine: Callable[..., Engine]) -> None:
    gateway, only = start(), engine("s1", "small")
    assert gateway.client.get("/health").status_code == 503
    refused = gateway.chat(max_tokens=1)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    gateway.to(only)
    assert gateway.client.get("/health").status_code == 200
    assert gateway.chat(max_tokens=1).status_code == 200
    (gateway.folder / "routes.json").write_text("{")
    until(lambda: "last good routes stand" in (gateway.folder / "gateway.log").read_text())
    assert gateway.chat(max_tokens=1).status_code == 200


def test_a_stream_goes_on_over_a_change_of_routes(start: Start, engine: Callable[..., Engine]) -> None:
    gateway, old, new = start(), engine("s1", "small"), engine("s2", "small")
    gateway.to(old)
    with gateway.stream(max_tokens=100) as (answer, events):
        next(events)
        gateway.to(new)
        assert gateway.chat(max_tokens=1).headers["x-bouted-replica"] == "s2"
        rest = list(events)
    assert answer.headers["x-bouted-replica"] == "s1"
    assert len(rest) == 101
    assert all(sample["ok"] for sample in gateway.samples())


def test_told_to_end_it_finishes_its_streams(start: Start, engine: Callable[..., Engine]) -> None:
    gateway, only = start(), engine("s1", "small")
    gateway.to(only)
    with gateway.stream(max_tokens=100) as (_, events):
        next(events)
        gateway.process.terminate()
        assert len(list(events)) == 101
    assert gateway.process.wait(timeout=10) == 0


def test_the_wait_before_traffic_and_its_size_are_small(start: Start) -> None:
    began = time.monotonic()
    gateway = start()
    assert time.monotonic() - began < 10
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    (resident,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 120 * 1024
