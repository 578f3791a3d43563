"""The compiled simulator is `Batch` and `Pipeline` driven by hand, behind the gateway's rule."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.perf.batch import Batch, Emitted
from bouted.perf.costs import StepCosts
from bouted.perf.kernel import Floats, Ints
from bouted.perf.pipeline import Pipeline
from bouted.perf.simulate import FleetReplica, RequestTimes, simulate_closed, simulate_fleet

PLAIN = StepCosts(
    tokens=(0.0, 100.0), tokens_s=(0.01, 0.02), pair_s=1e-6, seq_s=1e-4, kv_s=1e-6, kv_capacity_tokens=1000,
    max_batch=8, max_step_tokens=32, evidence=Evidence.MEASURED, spread=0.15,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    arrived_s: float
    prompt: int
    output: int
    cached: int


@st.composite
def some_requests(draw: st.DrawFn) -> list[Request]:
    burst, n = draw(st.booleans()), draw(st.integers(1, 25))
    times = [0.0 if burst else draw(st.floats(0, 1)) for _ in range(n)]
    prompts = [draw(st.integers(1, 60)) for _ in range(n)]
    return [
        Request(when, prompt, draw(st.integers(1, 30)), draw(st.integers(0, prompt - 1)))
        for when, prompt in zip(sorted(times), prompts, strict=True)
    ]


@st.composite
def some_costs(draw: st.DrawFn) -> StepCosts:
    knots = [0, *sorted(draw(st.lists(st.integers(1, 60), min_size=1, max_size=4, unique=True)))]
    return StepCosts(
        tokens=tuple(map(float, knots)),
        tokens_s=tuple(np.cumsum([draw(st.floats(0.001, 0.05)) for _ in knots]).tolist()),
        prompt_s=draw(st.floats(0, 0.001)),
        pair_s=draw(st.floats(0, 1e-4)),
        seq_s=draw(st.floats(0, 0.001)),
        kv_s=draw(st.floats(0, 0.001)),
        kv_capacity_tokens=draw(st.integers(20, 200)),
        max_batch=draw(st.integers(1, 6)),
        max_step_tokens=draw(st.integers(1, 40)),
        evidence=Evidence.MEASURED,
        spread=0.15,
        stages=draw(st.sampled_from([1, 1, 2, 3])),
        front_end_s=draw(st.sampled_from([0.0, 0.03])),
    )


class Server:
    """One engine driven by hand, event by event."""

    def __init__(self, costs: StepCosts, weight: float = 1.0) -> None:
        self.batch = Batch(costs)
        self.pipeline = Pipeline(self.batch)
        self.weight = weight
        self.transit: list[tuple[float, int, Request]] = []
        self.outstanding = 0
        self.now_s = 0.0
        self.first_s: dict[int, float] = {}
        self.end_s: dict[int, float] = {}

    def add(self, key: int, request: Request, now_s: float) -> bool:
        """Take a request that can fit; it will reach the engine after the front end's time."""
        if not self.batch.can_hold(request.prompt, request.output):
            return False
        self.transit.append((now_s + self.batch.costs.front_end_s, key, request))
        self.outstanding += 1
        return True

    def advance(self, until_s: float, ended: Callable[[float], None] = lambda now_s: None) -> None:
        """Run to `until_s`; at that very instant steps end, and nothing begins."""
        while (next_s := self.next_s()) is not None and next_s <= until_s:
            self.now_s = max(self.now_s, next_s)
            tokens = self.pipeline.end_step(self.now_s)
            if tokens is not None:
                for token in tokens:
                    self._note(token, ended)
            elif self.now_s >= until_s:
                return
            else:
                self._begin()

    def next_s(self) -> float | None:
        times = [self.pipeline.next_s, self.transit[0][0] if self.transit else None]
        return min((when for when in times if when is not None), default=None)

    def _begin(self) -> None:
        while self.transit and self.transit[0][0] <= self.now_s:
            _, key, request = self.transit.pop(0)
            assert self.batch.add(key, request.prompt, request.output, request.cached)
        self.pipeline.begin_step(self.now_s)
        assert 0 <= self.batch.kv_used_share <= 1

    def _note(self, token: Emitted, ended: Callable[[float], None]) -> None:
        if token.first:
            self.first_s[token.key] = self.now_s
        if token.done:
            self.end_s[token.key] = self.now_s
            self.outstanding -= 1
            ended(self.now_s)


def by_hand(servers: list[Server], requests: list[Request]) -> tuple[Floats, Floats]:
    """Seconds to the first and the last token of each request."""
    for key, request in enumerate(requests):
        for server in servers:
            server.advance(request.arrived_s)
        loads = [(server.outstanding + 1) / server.weight for server in servers]
        servers[loads.index(min(loads))].add(key, request, request.arrived_s)
    for server in servers:
        server.advance(inf)
        assert server.batch.kv_used_share == server.batch.running == server.batch.waiting == 0
    return since(servers, [request.arrived_s for request in requests])


def since(servers: list[Server], began_s: list[float]) -> tuple[Floats, Floats]:
    first, end = np.full(len(began_s), inf), np.full(len(began_s), inf)
    for server in servers:
        for key, when in server.first_s.items():
            first[key] = when - began_s[key]
        for key, when in server.end_s.items():
            end[key] = when - began_s[key]
    return first, end


def columns(requests: list[Request]) -> tuple[Floats, Ints, Ints, Ints]:
    return (
        np.array([r.arrived_s for r in requests]),
        np.array([r.prompt for r in requests]),
        np.array([r.output for r in requests]),
        np.array([r.cached for r in requests]),
    )


def compiled(fleet: list[tuple[StepCosts, float]], requests: list[Request]) -> RequestTimes:
    replicas = tuple(FleetReplica(costs=costs, model_index=0, weight=weight) for costs, weight in fleet)
    times, prompt, output, cached = columns(requests)
    models = np.zeros(len(requests), np.int64)
    return simulate_fleet(replicas, times, models, prompt, output, cached_tokens=cached)


@settings(max_examples=500)
@given(costs=some_costs(), requests=some_requests())
def test_the_compiled_rule_is_the_batch_driven_by_hand(costs: StepCosts, requests: list[Request]) -> None:
    server = Server(costs)
    first, end = by_hand([server], requests)
    got = compiled([(costs, 1.0)], requests)
    np.testing.assert_allclose(got.ttft_s, first, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.e2e_s, end, rtol=0, atol=1e-9)
    assert got.preemptions.sum() == server.batch.preemptions


@settings(max_examples=100)
@given(
    fleet=st.lists(st.tuples(some_costs(), st.sampled_from([0.5, 1.0, 2.0])), min_size=2, max_size=4),
    requests=some_requests(),
)
def test_a_compiled_fleet_is_its_engines_behind_the_gateways_rule(
    fleet: list[tuple[StepCosts, float]], requests: list[Request]
) -> None:
    first, end = by_hand([Server(costs, weight) for costs, weight in fleet], requests)
    got = compiled(fleet, requests)
    np.testing.assert_allclose(got.ttft_s, first, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.e2e_s, end, rtol=0, atol=1e-9)


@settings(max_examples=200)
@given(costs=some_costs(), requests=some_requests(), clients=st.integers(1, 8))
def test_a_compiled_closed_loop_is_clients_that_send_when_answered(
    costs: StepCosts, requests: list[Request], clients: int
) -> None:
    server, issued = Server(costs), dict[int, float]()

    def send(now_s: float) -> None:
        while len(issued) < len(requests):
            key = len(issued)
            issued[key] = now_s
            if server.add(key, requests[key], now_s):
                return

    for _ in range(clients):
        send(0.0)
    server.advance(inf, send)
    first, end = since([server], list(issued.values()))
    _, prompt, output, cached = columns(requests)
    got = simulate_closed(costs, clients, prompt, output, cached_tokens=cached)
    np.testing.assert_allclose(got.issued_s, list(issued.values()), rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.times.ttft_s, first, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.times.e2e_s, end, rtol=0, atol=1e-9)


def test_the_drawn_engines_preempt_and_fill_their_pipelines() -> None:
    """The properties above would hold of a rule that never preempts; here they meet one that does."""
    costs = replace(PLAIN, kv_capacity_tokens=60, stages=2)
    requests = [Request(0.0, 20, 30, 5) for _ in range(6)]
    server = Server(costs)
    first, end = by_hand([server], requests)
    got = compiled([(costs, 1.0)], requests)
    assert server.batch.preemptions == got.preemptions.sum() > 3
    np.testing.assert_allclose(got.e2e_s, end, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.ttft_s, first, rtol=0, atol=1e-9)
