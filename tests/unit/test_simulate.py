from itertools import pairwise

import numpy as np
import pytest

from bouted.catalog.gpus import Evidence
from bouted.perf.arrivals import arrivals
from bouted.perf.costs import roofline
from bouted.perf.simulate import FleetReplica, simulate_fleet, simulate_replica

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


def mixed(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(50, 1500, n), rng.integers(10, 400, n)


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
