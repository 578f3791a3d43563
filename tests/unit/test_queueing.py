"""The simulator against queueing theory and against laws that hold whatever the engine."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.perf.arrivals import arrivals
from bouted.perf.costs import StepCosts
from bouted.perf.figures import figures
from bouted.perf.kernel import Floats, Ints
from bouted.perf.simulate import simulate_closed, simulate_replica

ONE_SEAT = StepCosts(
    tokens=(0.0, 1000.0), tokens_s=(0.0, 1.0), pair_s=0.0, seq_s=0.0, kv_s=0.0, kv_capacity_tokens=10_000,
    max_batch=1, max_step_tokens=1000, evidence=Evidence.MEASURED, spread=0.0,
)  # fmt: skip
"""One request at a time: a prompt token takes 1 ms, and so does an output token after the first."""
ENGINE = replace(
    ONE_SEAT, tokens=(0.0, 200.0, 2000.0), tokens_s=(0.02, 0.021, 0.2), kv_s=1e-7, kv_capacity_tokens=20_000,
    max_batch=32,
)  # fmt: skip


def mixed(n: int, seed: int = 0) -> tuple[Ints, Ints]:
    rng = np.random.default_rng(seed)
    return rng.integers(20, 900, n), rng.integers(1, 300, n)


def in_flight_mean(arrived_s: Floats, ended_s: Floats) -> float:
    """Mean number in the system from 0 to the last end, by counting events."""
    when = np.concatenate([arrived_s, ended_s])
    change = np.repeat([1, -1], len(arrived_s))[np.argsort(when, kind="stable")]
    when.sort()
    return float((np.cumsum(change)[:-1] * np.diff(when)).sum() / when[-1])


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("varied", [False, True])
def test_one_seat_waits_as_pollaczek_and_khinchine_say(load: float, varied: bool) -> None:
    n = 200_000
    prompt = np.random.default_rng(1).choice([20, 180], n) if varied else np.full(n, 100)
    service_s = prompt / 1000
    times = simulate_replica(ONE_SEAT, arrivals(load / 0.1, 1.0, n, 2), prompt, np.ones(n, np.int64))
    expected = load / 0.1 * (service_s**2).mean() / (2 * (1 - load))
    assert times.queue_s.mean() == pytest.approx(expected, rel=0.06)
    np.testing.assert_allclose(times.e2e_s, times.queue_s + service_s, atol=1e-6)


@pytest.mark.parametrize(("rate", "stages"), [(2.0, 1), (6.0, 1), (6.0, 2)])
def test_littles_law(rate: float, stages: int) -> None:
    prompt, output = mixed(2000)
    times = simulate_replica(replace(ENGINE, stages=stages), arrivals(rate, 1.0, 2000, 3), prompt, output)
    ended = times.arrived_s + times.e2e_s
    through = len(ended) / ended.max()
    assert in_flight_mean(times.arrived_s, ended) == pytest.approx(through * times.e2e_s.mean(), rel=1e-9)
    assert times.ok.all()


def test_a_closed_loop_keeps_as_many_in_flight_as_it_has_clients() -> None:
    prompt, output = mixed(600)
    run = simulate_closed(ENGINE, 16, prompt, output)
    ended = run.issued_s + run.times.e2e_s
    assert (np.diff(run.issued_s) >= 0).all()
    assert (run.issued_s[:16] == 0).all()
    for at in run.issued_s[16:][run.issued_s[16:] < run.issued_s[-1]]:
        assert ((run.issued_s <= at) & (ended > at + 1e-9)).sum() == 16
    np.testing.assert_allclose(np.sort(ended)[: 600 - 16], run.issued_s[16:], atol=1e-9)


def test_a_closed_loop_is_the_open_loop_of_its_own_issue_times() -> None:
    prompt, output = mixed(400, 4)
    run = simulate_closed(ENGINE, 24, prompt, output)
    replayed = simulate_replica(ENGINE, run.issued_s, prompt, output)
    np.testing.assert_allclose(replayed.e2e_s, run.times.e2e_s, atol=1e-9)


def test_a_client_whose_request_can_never_fit_goes_on_with_the_next_one() -> None:
    run = simulate_closed(ENGINE, 1, np.array([10, 30_000, 10]), np.array([5, 5, 5]))
    assert run.times.ok.tolist() == [True, False, True]
    assert run.issued_s[1] == run.issued_s[2] == run.times.e2e_s[0]
    with pytest.raises(ValueError, match="concurrency is 0"):
        simulate_closed(ENGINE, 0, np.array([1]), np.array([1]))


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), rate=st.floats(1.0, 12.0), seats=st.integers(1, 40))
def test_without_preemption_requests_are_admitted_in_order_of_arrival(
    seed: int, rate: float, seats: int
) -> None:
    prompt, output = mixed(200, seed)
    roomy = replace(ENGINE, max_batch=seats, kv_capacity_tokens=10**6)
    times = simulate_replica(roomy, arrivals(rate, 1.5, 200, seed), prompt, output)
    assert times.preemptions.sum() == 0
    assert (np.diff(times.arrived_s + times.queue_s) >= -1e-9).all()
    assert (times.queue_s >= 0).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), rate=st.floats(0.5, 8.0))
def test_more_load_never_shortens_the_mean_latency(seed: int, rate: float) -> None:
    prompt, output = mixed(600, seed)
    means = [
        simulate_replica(ENGINE, arrivals(factor * rate, 1.0, 600, seed), prompt, output).e2e_s.mean()
        for factor in (1.0, 1.5)
    ]
    assert means[1] >= means[0]


def test_every_answer_is_whole_and_no_token_comes_twice_in_a_cache_that_is_too_small() -> None:
    """At 1 ms a token and nothing else, time counts tokens: those asked for and those redone."""
    tight = replace(ONE_SEAT, max_batch=8, kv_capacity_tokens=1200)
    prompt, output = np.full(20, 100), np.full(20, 150)
    run = simulate_closed(tight, 8, prompt, output)
    assert run.times.ok.all()
    assert run.times.preemptions.sum() > 0
    least = (prompt + output - 1).sum() / 1000
    ended = (run.issued_s + run.times.e2e_s).max()
    redone_s = run.times.preemptions.sum() * (100 / 1000), run.times.preemptions.sum() * (249 / 1000)
    assert least + redone_s[0] <= ended + 1e-9
    assert ended <= least + redone_s[1] + 1e-9


def test_prefix_hits_shorten_the_first_token_by_what_is_not_computed() -> None:
    prompt, output, when = np.full(1, 800), np.full(1, 10), np.zeros(1)
    cold = simulate_replica(ONE_SEAT, when, prompt, output)
    warm = simulate_replica(ONE_SEAT, when, prompt, output, cached_tokens=np.array([600]))
    assert cold.ttft_s[0] - warm.ttft_s[0] == pytest.approx(0.6)
    assert (cold.e2e_s - cold.ttft_s)[0] == pytest.approx((warm.e2e_s - warm.ttft_s)[0])
    with pytest.raises(ValueError, match="cached tokens"):
        simulate_replica(ONE_SEAT, when, prompt, output, cached_tokens=prompt)


def test_two_stages_with_twice_the_seats_make_nearly_twice_as_much_in_the_same_time_per_token() -> None:
    prompt, output = np.full(1500, 20), mixed(1500)[1]
    roomy = replace(ENGINE, kv_capacity_tokens=10**6, max_batch=64)
    one = figures(simulate_closed(roomy, 32, prompt, output).times, prompt, output)
    two = figures(simulate_closed(replace(roomy, stages=2), 64, prompt, output).times, prompt, output)
    assert 1.85 < two.output_tokens_per_s / one.output_tokens_per_s <= 2.0
    assert two.tpot.mean_s == pytest.approx(one.tpot.mean_s, rel=0.1)


def test_stages_do_nothing_for_one_request_at_a_time() -> None:
    prompt, output = mixed(20)
    one, three = (simulate_closed(replace(ENGINE, stages=n), 1, prompt, output).times for n in (1, 3))
    np.testing.assert_allclose(one.e2e_s, three.e2e_s, atol=1e-9)


def test_the_front_end_is_on_the_way_to_the_engine_and_not_in_its_queue() -> None:
    prompt, output = mixed(300)
    when = arrivals(4.0, 1.0, 300, 5)
    near = simulate_replica(ENGINE, when, prompt, output)
    far = simulate_replica(replace(ENGINE, front_end_s=0.25), when, prompt, output)
    np.testing.assert_allclose(far.ttft_s, near.ttft_s + 0.25, atol=1e-9)
    np.testing.assert_allclose(far.e2e_s, near.e2e_s + 0.25, atol=1e-9)
    np.testing.assert_allclose(far.queue_s, near.queue_s, atol=1e-9)
