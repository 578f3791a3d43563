from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.perf.batch import Batch
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.kernel import Floats
from bouted.perf.simulate import (
    FleetReplica,
    RequestTimes,
    arrivals,
    simulate_fleet,
    simulate_replica,
)

Request = tuple[float, int, int]
COSTS = roofline(
    overhead_s=0.002,
    weights_s=0.008,
    compute_s_per_token=4e-5,
    kv_s_per_token=5e-8,
    kv_capacity_tokens=60_000,
    max_batch=64,
    max_step_tokens=2048,
    evidence=Evidence.MEASURED,
    spread=0.15,
)
some_costs = st.builds(
    roofline,
    overhead_s=st.floats(0.001, 0.1),
    weights_s=st.floats(0, 0.1),
    compute_s_per_token=st.floats(0, 0.01),
    kv_s_per_token=st.floats(0, 0.001),
    kv_capacity_tokens=st.integers(20, 200),
    max_batch=st.integers(1, 6),
    max_step_tokens=st.integers(1, 40),
    evidence=st.just(Evidence.MEASURED),
    spread=st.just(0.15),
)
some_requests = st.lists(
    st.tuples(st.floats(0, 1), st.integers(1, 60), st.integers(1, 30)), min_size=1, max_size=25
)


class Server:
    """One `Batch` driven by hand: what the compiled kernel must reproduce."""

    def __init__(self, costs: StepCosts) -> None:
        self.batch = Batch(costs)
        self.now_s = 0.0
        self.step_end_s: float | None = None
        self.outstanding = 0
        self.first_s: dict[int, float] = {}
        self.end_s: dict[int, float] = {}

    def advance(self, until_s: float) -> None:
        while True:
            if self.step_end_s is None and self.now_s < until_s:
                step_s = self.batch.begin_step()
                if step_s is not None:
                    self.step_end_s = self.now_s + step_s
            if self.step_end_s is None or self.step_end_s > until_s:
                return
            self.now_s, self.step_end_s = self.step_end_s, None
            for token in self.batch.end_step():
                if token.first:
                    self.first_s[token.key] = self.now_s
                if token.done:
                    self.end_s[token.key] = self.now_s
                    self.outstanding -= 1

    def add(self, key: int, request: Request) -> None:
        if self.batch.add(key, request[1], request[2]):
            if self.outstanding == 0:
                self.now_s = request[0]
            self.outstanding += 1


def by_hand(costs: list[StepCosts], weights: list[float], requests: list[Request]) -> tuple[Floats, Floats]:
    """Seconds to the first and the last token of each request."""
    servers = [Server(one) for one in costs]
    for key, request in enumerate(requests):
        for server in servers:
            server.advance(request[0])
        loads = [(s.outstanding + 1) / w for s, w in zip(servers, weights, strict=True)]
        servers[loads.index(min(loads))].add(key, request)
    first, end = np.full(len(requests), np.inf), np.full(len(requests), np.inf)
    for server in servers:
        server.advance(float("inf"))
        for key, when in server.first_s.items():
            first[key] = when - requests[key][0]
        for key, when in server.end_s.items():
            end[key] = when - requests[key][0]
    return first, end


def compiled(replicas: list[FleetReplica], requests: list[Request]) -> RequestTimes:
    times, prompt, output = (np.array(column) for column in zip(*requests, strict=True))
    return simulate_fleet(tuple(replicas), times, np.zeros(len(requests), np.int64), prompt, output)


def mixed(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(50, 1500, n), rng.integers(10, 400, n)


@settings(max_examples=300)
@given(costs=some_costs, requests=some_requests, burst=st.booleans())
def test_the_compiled_rule_is_the_batch_driven_by_hand(
    costs: StepCosts, requests: list[Request], burst: bool
) -> None:
    requests = sorted((0.0 if burst else when, p, o) for when, p, o in requests)
    first, end = by_hand([costs], [1.0], requests)
    got = compiled([FleetReplica(costs=costs, model_index=0, weight=1.0)], requests)
    np.testing.assert_allclose(got.ttft_s, first, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.e2e_s, end, rtol=0, atol=1e-9)


@settings(max_examples=100)
@given(
    fleet=st.lists(st.tuples(some_costs, st.sampled_from([0.5, 1.0, 2.0])), min_size=2, max_size=4),
    requests=some_requests,
)
def test_a_compiled_fleet_is_its_batches_behind_the_gateways_rule(
    fleet: list[tuple[StepCosts, float]], requests: list[Request]
) -> None:
    requests = sorted(requests)
    first, end = by_hand([costs for costs, _ in fleet], [weight for _, weight in fleet], requests)
    replicas = [FleetReplica(costs=costs, model_index=0, weight=weight) for costs, weight in fleet]
    got = compiled(replicas, requests)
    np.testing.assert_allclose(got.ttft_s, first, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.e2e_s, end, rtol=0, atol=1e-9)


def test_a_request_alone_takes_the_time_that_arithmetic_gives() -> None:
    times = simulate_replica(COSTS, np.array([5.0]), np.array([1000]), np.array([11]))
    prefill = 0.002 + 1000 * 4e-5
    decode = sum(0.002 + 0.008 + (1000 + k) * 5e-8 for k in range(10))
    assert times.ttft_s[0] == pytest.approx(prefill)
    assert times.e2e_s[0] == pytest.approx(prefill + decode)
    assert times.tpot_s[0] == pytest.approx(decode / 10)


def test_a_request_for_one_token_has_no_gap_between_tokens() -> None:
    times = simulate_replica(COSTS, np.array([0.0]), np.array([10]), np.array([1]))
    assert times.tpot_s[0] == 0.0


def test_a_request_that_nobody_can_hold_never_ends_and_delays_nobody() -> None:
    when = np.array([0.0, 0.0])
    times = simulate_replica(COSTS, when, np.array([70_000, 10]), np.array([1, 1]))
    assert np.isinf([times.ttft_s[0], times.tpot_s[0], times.e2e_s[0]]).all()
    assert times.e2e_s[1] < 0.02


def test_latency_grows_with_the_rate() -> None:
    prompt, output = mixed(3000)
    p95 = [
        np.quantile(simulate_replica(COSTS, arrivals(rate, 1.0, 3000, 1), prompt, output).e2e_s, 0.95)
        for rate in (0.5, 2.0, 4.0, 8.0)
    ]
    assert all(low < high for low, high in pairwise(p95))


def test_each_query_goes_to_a_replica_of_its_own_model() -> None:
    fast, slow = (FleetReplica(costs=COSTS, model_index=index, weight=1.0) for index in (0, 1))
    when = np.zeros(40)
    models = np.repeat([1, 0], [39, 1])
    times = simulate_fleet((fast, slow), when, models, np.full(40, 500), np.full(40, 50))
    alone = simulate_replica(COSTS, np.zeros(1), np.array([500]), np.array([50]))
    assert times.e2e_s[39] == pytest.approx(alone.e2e_s[0])
    assert times.e2e_s[38] > 1.5 * alone.e2e_s[0]


def test_a_query_whose_model_has_no_replica_never_ends() -> None:
    replica = FleetReplica(costs=COSTS, model_index=0, weight=1.0)
    one = np.array([1])
    assert np.isinf(simulate_fleet((replica,), np.zeros(1), one, one, one).e2e_s[0])
    assert np.isinf(simulate_fleet((), np.zeros(1), one, one, one).e2e_s[0])


def test_two_replicas_do_at_double_the_rate_about_what_one_does() -> None:
    prompt, output = mixed(4000)
    replica = FleetReplica(costs=COSTS, model_index=0, weight=1.0)
    models = np.zeros(4000, np.int64)
    one = simulate_fleet((replica,), arrivals(4.0, 1.0, 4000, 2), models, prompt, output)
    two = simulate_fleet((replica, replica), arrivals(8.0, 1.0, 4000, 2), models, prompt, output)
    assert np.quantile(two.e2e_s, 0.95) == pytest.approx(np.quantile(one.e2e_s, 0.95), rel=0.15)


@pytest.mark.parametrize("cv", [0.0, 0.5, 1.0, 2.0])
def test_arrivals_have_the_rate_and_the_variation_asked_for(cv: float) -> None:
    gaps = np.diff(arrivals(5.0, cv, 50_000, 3), prepend=0.0)
    assert gaps.mean() == pytest.approx(0.2, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, abs=0.03)


def test_one_seed_gives_one_pattern_stretched_by_the_rate() -> None:
    np.testing.assert_allclose(arrivals(2.0, 1.0, 50, 9), arrivals(1.0, 1.0, 50, 9) / 2)


@pytest.mark.parametrize(
    ("when", "prompt", "weight", "says"),
    [([1.0, 0.0], [1, 1], 1.0, "ascend"), ([0.0, 1.0], [1, 0], 1.0, "ascend and"),
     ([0.0], [1, 1], 1.0, "lengths differ"), ([0.0, 1.0], [1, 1], 0.0, "weight is 0.0")],
)  # fmt: skip
def test_a_malformed_trace_is_refused(when: list[float], prompt: list[int], weight: float, says: str) -> None:
    replica = FleetReplica(costs=COSTS, model_index=0, weight=weight)
    models = np.zeros(len(when), np.int64)
    with pytest.raises(ValueError, match=says):
        simulate_fleet((replica,), np.array(when), models, np.array(prompt), np.array(prompt))
