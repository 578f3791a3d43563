"""From what gateways saw to a workload and to measured service."""

from collections import deque
from collections.abc import Iterable
from random import Random
from time import perf_counter

import pytest

from bouted.workload.declared import declared_profile
from bouted.workload.observe import measured, profile_workload
from bouted.workload.profile import RequestSample, WorkloadProfile, WorkloadSource

NOW = 1_800_000_000.0
DECLARED = declared_profile(
    rate_per_s=5.0, prompt_tokens=500, output_tokens=100, arrival_cv=1.0, most_tokens=8192, seed=1
)


def a_sample(
    arrived_s: float,
    *,
    model: str = "small",
    ok: bool = True,
    ttft_s: float = 0.5,
    e2e_s: float = 2.0,
    prompt_tokens: int = 300,
    output_tokens: int = 31,
) -> RequestSample:
    return RequestSample(
        seq=1,
        arrived_s=arrived_s,
        model=model,
        replica="r",
        score=0.5,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        ttft_s=ttft_s,
        e2e_s=e2e_s,
        ok=ok,
    )


def poisson(rate_per_s: float, start_s: float, end_s: float, seed: int = 1) -> list[float]:
    random, times, at_s = Random(seed), [], start_s
    while (at_s := at_s + random.expovariate(rate_per_s)) < end_s:
        times.append(at_s)
    return times


def finished(times: Iterable[float], e2e_s: float = 2.0) -> deque[RequestSample]:
    """What the daemon holds by NOW of requests that arrived then."""
    return deque(a_sample(at_s, e2e_s=e2e_s) for at_s in times if at_s + e2e_s <= NOW)


def profile(
    times: list[float], *, window_s: float = 300.0, arrivals: bool = True, e2e_s: float = 2.0
) -> WorkloadProfile:
    return profile_workload(
        finished(times, e2e_s),
        now_s=NOW,
        window_s=window_s,
        declared=DECLARED,
        arrivals=deque(times) if arrivals else None,
    )


@pytest.mark.parametrize("arrivals", [True, False])
def test_the_rate_lies_within_its_interval(arrivals: bool) -> None:
    seen = profile(poisson(8.0, NOW - 1000, NOW), arrivals=arrivals)
    assert seen.source is WorkloadSource.OBSERVED
    assert seen.rate_low_per_s <= 8.0 <= seen.rate_high_per_s
    assert seen.rate_low_per_s < seen.rate_per_s < seen.rate_high_per_s
    assert seen.arrival_cv == pytest.approx(1.0, abs=0.1)


def test_a_young_gateway_is_judged_by_its_age() -> None:
    seen = profile(poisson(8.0, NOW - 20, NOW))
    assert seen.rate_per_s == pytest.approx(8.0, rel=0.3)


def test_a_few_requests_say_nothing() -> None:
    assert profile(poisson(1.0, NOW - 20, NOW)) == DECLARED
    assert profile([]) == DECLARED


def test_a_load_that_stopped_long_ago_is_low_and_keeps_the_declared_lengths() -> None:
    seen = profile([*poisson(8.0, NOW - 2900, NOW - 2600), NOW - 10])
    assert seen.rate_per_s == pytest.approx(1 / 300)
    assert 0 < seen.rate_per_s < seen.rate_high_per_s < 0.05
    assert seen.lengths == DECLARED.lengths
    assert seen.arrival_cv == DECLARED.arrival_cv


def test_no_request_for_a_window_is_still_a_rate_above_zero() -> None:
    assert 0 < profile(poisson(8.0, NOW - 900, NOW - 600)).rate_per_s < 0.01


def test_requests_that_run_still_are_not_missed() -> None:
    """Without arrivals the last stretch is left out, so slow answers do not look like less load."""
    seen = profile(poisson(8.0, NOW - 1000, NOW), arrivals=False, e2e_s=60.0)
    assert seen.rate_per_s == pytest.approx(8.0, rel=0.1)


def test_a_load_step_shows_in_the_arrivals_at_once() -> None:
    times = [*poisson(4.0, NOW - 600, NOW - 60), *poisson(16.0, NOW - 60, NOW)]
    assert profile(times, window_s=60.0, e2e_s=30.0).rate_per_s == pytest.approx(16.0, rel=0.2)


def test_lengths_are_a_fair_sample_of_what_went_well() -> None:
    samples = [a_sample(NOW - 250 + i / 10, output_tokens=i + 1, ok=i % 2 == 0) for i in range(2000)]
    seen = profile_workload(samples, now_s=NOW, window_s=300, declared=DECLARED)
    assert len(seen.lengths) == 256
    assert all(length.output_tokens % 2 == 1 for length in seen.lengths)
    mean = sum(length.output_tokens for length in seen.lengths) / 256
    assert mean == pytest.approx(1000, rel=0.02)


def test_burstier_arrivals_have_a_higher_cv() -> None:
    bursts = [NOW - 280 + 10 * burst + 0.01 * k for burst in range(28) for k in range(20)]
    even = [NOW - 280 + 0.5 * k for k in range(560)]
    assert profile(bursts).arrival_cv > 3
    assert profile(even).arrival_cv == 0.3


def test_percentiles_and_shares_are_of_requests_that_went_well() -> None:
    samples = [
        *(a_sample(NOW - 50 + k / 10, ttft_s=0.01 * (k + 1), e2e_s=4.0) for k in range(100)),
        *(a_sample(NOW - 20, model="large", e2e_s=4.0, ttft_s=0.5) for _ in range(25)),
        *(a_sample(NOW - 10, ok=False, ttft_s=9.0, e2e_s=99.0) for _ in range(5)),
    ]
    seen = measured(samples, now_s=NOW, window_s=100)
    assert (seen.ok, seen.failed) == (125, 5)
    assert seen.rate_per_s == pytest.approx(130 / 46)
    assert seen.ttft_p95_s == pytest.approx(0.94)
    assert seen.e2e_p95_s == 4.0
    assert seen.tpot_p95_s is not None
    assert seen.tpot_p95_s < 4.0 / 30
    assert seen.share_by_model == (("small", 0.8), ("large", 0.2))


def test_slow_answers_count_like_fast_ones_while_load_goes_on() -> None:
    """Half the requests take 1 s, half 15 s: a window of 20 s must not see mostly the fast ones."""
    samples = sorted(
        (a_sample(NOW - 100 + k / 10, e2e_s=1.0 if k % 2 else 15.0) for k in range(1000)),
        key=lambda sample: sample.arrived_s + sample.e2e_s,
    )
    done = [sample for sample in samples if sample.arrived_s + sample.e2e_s <= NOW]
    seen = measured(done, now_s=NOW, window_s=20)
    assert seen.ok == pytest.approx(200, abs=60)
    assert seen.e2e_p95_s == 15.0


def test_answers_in_one_piece_have_no_first_token() -> None:
    seen = measured([a_sample(NOW - 9, ttft_s=3.0, e2e_s=3.0)], now_s=NOW, window_s=60)
    assert (seen.ttft_p95_s, seen.tpot_p95_s, seen.e2e_p95_s) == (None, None, 3.0)


def test_nothing_seen_is_nothing_known() -> None:
    seen = measured((), now_s=NOW, window_s=60)
    assert seen.rate_per_s is None
    assert seen.e2e_p95_s is None
    assert (seen.ok, seen.failed, seen.share_by_model) == (0, 0, ())


def test_old_samples_are_not_walked() -> None:
    samples = deque(a_sample(NOW - 20_000 + k) for k in range(20_000))
    took_s = []
    for _ in range(5):
        began = perf_counter()
        assert measured(samples, now_s=NOW, window_s=100).ok == 102  # those that ended in it
        took_s.append(perf_counter() - began)
    assert min(took_s) < 0.005
