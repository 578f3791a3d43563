"""Replicas that start late or are lost in the middle of a run, as the gateway takes it."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.gateway.relay import ATTEMPTS as GATEWAY_ATTEMPTS
from bouted.perf.arrivals import arrivals
from bouted.perf.costs import StepCosts
from bouted.perf.kernel import ATTEMPTS
from bouted.perf.simulate import FleetReplica, RequestTimes, simulate_fleet

COSTS = StepCosts(
    tokens=(0.0, 1000.0), tokens_s=(0.01, 0.11), pair_s=0.0, seq_s=0.0, kv_s=0.0, kv_capacity_tokens=4000,
    max_batch=4, max_step_tokens=1000, evidence=Evidence.MEASURED, spread=0.0,
)  # fmt: skip


def replica(ready_s: float = 0.0, lost_s: float = inf, costs: StepCosts = COSTS) -> FleetReplica:
    return FleetReplica(costs=costs, model_index=0, weight=1.0, ready_s=ready_s, lost_s=lost_s)


def play(fleet: list[FleetReplica], when: list[float], prompt: int = 100, output: int = 20) -> RequestTimes:
    n = len(when)
    return simulate_fleet(
        tuple(fleet), np.array(when), np.zeros(n, np.int64), np.full(n, prompt), np.full(n, output)
    )


def test_the_gateway_sends_a_query_as_often_as_the_simulator() -> None:
    assert ATTEMPTS == GATEWAY_ATTEMPTS


def test_a_replica_takes_nothing_before_it_is_ready() -> None:
    times = play([replica(ready_s=5.0), replica()], [0.0, 0.0, 0.0, 4.9, 5.0])
    assert times.replica.tolist() == [1, 1, 1, 1, 0]


def test_where_no_replica_is_up_a_query_fails_at_once() -> None:
    times = play([replica(ready_s=5.0, lost_s=6.0)], [4.0, 5.0, 6.0, 7.0])
    assert times.ok.tolist() == [False, True, False, False]
    assert times.replica.tolist() == [-1, 0, -1, -1]
    assert np.isinf(times.ttft_s[[0, 2, 3]]).all()
    assert np.isinf(times.queue_s[[0, 2, 3]]).all()


def test_a_loss_fails_what_streams_and_moves_what_waits() -> None:
    # Four seats: the first four stream when the replica goes, the other four wait in its queue.
    fleet = [replica(lost_s=0.2), replica(ready_s=0.1)]
    times = play(fleet, [0.0] * 8)
    assert times.replica.tolist() == [0] * 4 + [1] * 4
    assert times.ok.tolist() == [False] * 4 + [True] * 4
    assert np.isfinite(times.ttft_s).all()
    assert np.isinf(times.e2e_s[:4]).all()
    assert np.isinf(times.tpot_s[:4]).all()
    fresh = play([replica()], [0.2] * 4)
    np.testing.assert_allclose(times.ttft_s[4:], fresh.ttft_s + 0.2)
    np.testing.assert_allclose(times.e2e_s[4:], fresh.e2e_s + 0.2)
    np.testing.assert_allclose(times.queue_s[4:], 0.0, atol=1e-12)


def test_a_prompt_half_read_moves_and_is_read_from_its_beginning() -> None:
    slow = replace(COSTS, max_step_tokens=50)
    times = play([replica(lost_s=0.03, costs=slow), replica(ready_s=0.02, costs=slow)], [0.0], prompt=200)
    alone = play([replica(costs=slow)], [0.0], prompt=200)
    assert times.ttft_s[0] == pytest.approx(0.03 + alone.ttft_s[0])


def test_a_query_without_another_replica_fails_and_no_one_is_sent_for_ever() -> None:
    assert not play([replica(lost_s=0.05)], [0.0, 0.04]).ok.any()
    starts = [(0.0, 0.01), (0.005, 0.02), (0.015, 0.03), (0.025, inf)]
    times = play([replica(ready, lost) for ready, lost in starts], [0.0])
    assert (times.ok[0], times.replica[0]) == (False, -1)
    times = play([replica(ready, lost) for ready, lost in starts[1:]], [0.006])
    assert (times.ok[0], times.replica[0]) == (True, 2)


def test_an_end_at_the_instant_of_the_loss_counts() -> None:
    alone = play([replica()], [0.0])
    assert play([replica(lost_s=float(alone.e2e_s[0]))], [0.0]).ok[0]
    assert not play([replica(lost_s=float(alone.e2e_s[0]) - 1e-9)], [0.0]).ok[0]


@settings(max_examples=100)
@given(
    seed=st.integers(0, 1000), lost_s=st.floats(0.1, 8.0), rate=st.floats(2.0, 30.0),
    stages=st.integers(1, 2), tight=st.booleans(),
)  # fmt: skip
def test_a_loss_touches_exactly_what_the_lost_replica_held(
    seed: int, lost_s: float, rate: float, stages: int, tight: bool
) -> None:
    rng = np.random.default_rng(seed)
    n = 120
    costs = replace(COSTS, stages=stages, kv_capacity_tokens=700 if tight else 4000)
    when, models = arrivals(rate, 1.0, n, seed), np.zeros(n, np.int64)
    prompt, output = rng.integers(10, 400, n), rng.integers(1, 60, n)
    fleets = [(replica(lost_s=end, costs=costs), replica(costs=costs)) for end in (inf, lost_s)]
    calm, struck = (simulate_fleet(fleet, when, models, prompt, output) for fleet in fleets)
    first, end = calm.arrived_s + calm.ttft_s, calm.arrived_s + calm.e2e_s
    over = end <= lost_s
    np.testing.assert_array_equal(struck.e2e_s[over], calm.e2e_s[over])
    held = (calm.replica == 0) & (when < lost_s) & ~over
    streams = held & (first <= lost_s)
    np.testing.assert_array_equal(~struck.ok, streams)
    assert (struck.replica[streams] == 0).all()
    assert (struck.replica[held & ~streams] == 1).all()
    assert (struck.replica[when >= lost_s] == 1).all()
    assert (struck.arrived_s + struck.ttft_s)[held & ~streams].min(initial=inf) > lost_s
