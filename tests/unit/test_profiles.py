"""Profiles: latency grows with load, the knee is real, and the same input gives the same table."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.perf.arrivals import arrivals
from bouted.perf.build import build_points, build_profiles
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.goodput import goodput_in, goodput_per_s
from bouted.perf.knee import highest, keeps_pace, knee_per_s
from bouted.perf.loads import MOST_POINTS, Detail, load_points
from bouted.perf.mix import RequestMix, request_mix
from bouted.perf.names import profile_hash
from bouted.perf.profile import QUANTILES, Interval, Metric, Profile, ProfileTable
from bouted.perf.rescale import as_modelled, corrected, slower
from bouted.perf.shapes import ReplicaShape
from bouted.perf.simulate import simulate_replica
from bouted.perf.slo import Slo
from bouted.testing.builders import a_shape
from bouted.workload.declared import declared_profile

LENGTHS = declared_profile(
    rate_per_s=1, prompt_tokens=260, output_tokens=110, arrival_cv=1.0, most_tokens=4096, seed=1
).lengths
P95 = QUANTILES.index(0.95)


def costs(
    *, step_s: float = 0.02, token_s: float = 1e-4, kv_s: float = 2e-8, kv_tokens: int = 100_000
) -> StepCosts:
    return roofline(
        overhead_s=step_s / 4,
        weights_s=step_s,
        compute_s_per_token=token_s,
        kv_s_per_token=kv_s,
        kv_capacity_tokens=kv_tokens,
        max_batch=256,
        max_step_tokens=2048,
        evidence=Evidence.ROOFLINE,
        spread=0.4,
    )


SHAPES: tuple[tuple[ReplicaShape, StepCosts], ...] = (
    (a_shape("m", "L4"), costs(step_s=0.06, token_s=5e-4, kv_tokens=20_000)),
    (a_shape("m", "A100-80GB"), costs()),
    (a_shape("m", "H100-80GB", tp=4), costs(step_s=0.006, token_s=1e-5)),
)


@pytest.fixture(scope="module")
def table() -> ProfileTable:
    return build_profiles(SHAPES, LENGTHS, 1.0, seed=1)


@pytest.fixture(scope="module")
def mix() -> RequestMix:
    return request_mix(LENGTHS, 1.0, 1)


# latency against load


def test_p95_never_falls_as_load_grows(table: ProfileTable) -> None:
    for profile in table.profiles:
        for metric in Metric:
            p95 = [point.of(metric)[P95] for point in profile.points]
            assert all(b >= a * 0.95 for a, b in pairwise(p95)), profile.shape.id


def test_rates_ascend_and_quantiles_ascend(table: ProfileTable) -> None:
    for profile in table.profiles:
        rates = [point.rate_per_s for point in profile.points]
        assert all(a < b for a, b in pairwise(rates))
        for point in profile.points:
            for metric in Metric:
                assert list(point.of(metric)) == sorted(point.of(metric))


def test_points_stand_where_the_curve_bends(mix: RequestMix) -> None:
    flat = costs(token_s=1e-9, kv_s=0.0, kv_tokens=10**7)  # waits appear only when the batch is full
    for one in (flat, costs(token_s=5e-4)):
        knee = knee_per_s(one, mix)
        points = load_points(one, mix, knee)
        low = sum(point.rate_per_s < 0.69 * knee for point in points)
        assert low == 4, "the flat half has its first points and the middles between them"
        assert low < len(points) - low
        assert len(points) < MOST_POINTS


def test_between_its_points_a_profile_is_close_to_what_a_simulation_says(mix: RequestMix) -> None:
    one = costs()
    knee = knee_per_s(one, mix)
    profile = Profile(
        shape=a_shape("m"), costs=one, points=load_points(one, mix, knee), evidence=Evidence.ROOFLINE
    )
    fine = load_points(one, mix, knee, Detail(most_points=60, bend=0.0))
    for point in fine:
        for metric in (Metric.TPOT, Metric.E2E):
            said = profile.quantiles_at(metric, point.rate_per_s)[P95]
            assert said == pytest.approx(point.of(metric)[P95], rel=0.06)


def test_as_many_points_as_asked_for_when_no_bend_is_too_small(mix: RequestMix) -> None:
    one = costs()
    assert len(load_points(one, mix, knee_per_s(one, mix), Detail(most_points=20, bend=0.0))) == 20


# the knee


def test_the_highest_rate_is_stable_and_a_quarter_more_is_not(table: ProfileTable) -> None:
    rng = np.random.default_rng(3)
    picks = rng.integers(0, len(LENGTHS), 4000)
    prompt = np.array([LENGTHS[i].prompt_tokens for i in picks])
    output = np.array([LENGTHS[i].output_tokens for i in picks])
    for profile in table.profiles:
        for factor, grows in ((1.0, False), (1.25, True)):
            times = arrivals(profile.max_rate_per_s * factor, 1.0, 4000, seed=9)
            ttft = simulate_replica(profile.costs, times, prompt, output).ttft_s
            late, early = np.median(ttft[3000:]), np.median(ttft[1000:2000])
            assert (late > 2 * early) == grows, (profile.shape.id, factor, early, late)


def test_the_knee_is_the_share_of_time_that_one_request_takes_of_a_batch_of_one(mix: RequestMix) -> None:
    """With one place in the batch the queue is M/G/1, and its knee is one over the mean service time."""
    one = replace(costs(token_s=0.0, kv_s=0.0), max_batch=1)
    step_s = one.tokens_s[0]
    prefill_steps = np.ceil(mix.prompt_tokens / one.max_step_tokens)
    service_s = float(np.mean((prefill_steps + mix.output_tokens - 1) * step_s))
    assert knee_per_s(one, mix) == pytest.approx(1 / service_s, rel=0.05)


def test_a_knee_is_found_where_all_requests_fit_at_once_and_end_together() -> None:
    tiny = request_mix((replace(LENGTHS[0], prompt_tokens=1, output_tokens=8),) * 35, 3.0, seed=1)
    wide = replace(costs(), max_batch=4096, max_step_tokens=16384)
    knee = knee_per_s(wide, tiny)
    assert 1 < knee < 1e6
    assert all(np.isfinite(point.e2e_s).all() for point in load_points(wide, tiny, knee))


@given(limit=st.floats(1e-2, 1e2), start=st.floats(1e-2, 1e2), step=st.sampled_from([1.1, 2.0, 10.0]))
def test_the_search_finds_any_limit_to_one_percent(limit: float, start: float, step: float) -> None:
    found = highest(lambda rate: rate <= limit, start=start, most=1e9, step=step)
    if found or limit > start / 1000:
        assert limit / 1.0101 <= found <= limit


def test_the_search_finds_nothing_where_nothing_holds_and_stops_at_the_most() -> None:
    assert highest(lambda rate: False, start=1.0) == 0.0
    assert highest(lambda rate: True, start=1.0, most=7.0) == 7.0
    with pytest.raises(ValueError, match="no rate up to"):
        highest(lambda rate: True, start=1.0)


# goodput


def test_goodput_is_the_rate_beyond_which_p95_breaks_the_limit(mix: RequestMix) -> None:
    one = costs()
    knee = knee_per_s(one, mix)
    profile = Profile(
        shape=a_shape("m"), costs=one, points=load_points(one, mix, knee), evidence=Evidence.ROOFLINE
    )
    idle = profile.points[0].tpot_s[P95]
    for slo in (Slo(tpot_s=1.5 * idle), Slo(ttft_s=0.3, tpot_s=3 * idle)):
        simulated, read_off = goodput_per_s(one, mix, slo, knee), goodput_in(profile, slo)
        assert 0 < simulated < knee
        assert read_off == pytest.approx(simulated, rel=0.1)


def test_goodput_never_passes_the_knee_and_is_nothing_when_not_even_idle_will_do(mix: RequestMix) -> None:
    one = costs()
    knee = knee_per_s(one, mix)
    assert goodput_per_s(one, mix, Slo(e2e_s=1e6), knee) == pytest.approx(knee, rel=0.02)
    assert goodput_per_s(one, mix, Slo(tpot_s=1e-6), knee) == 0.0
    points = load_points(one, mix, knee)
    profile = Profile(shape=a_shape("m"), costs=one, points=points, evidence=Evidence.ROOFLINE)
    assert goodput_in(profile, Slo(tpot_s=1e-6)) == 0.0
    assert goodput_in(profile, Slo(e2e_s=1e6)) == profile.max_rate_per_s


def test_limits_that_must_hold_together_allow_no_more_than_each_alone(mix: RequestMix) -> None:
    one = costs()
    knee = knee_per_s(one, mix)
    alone = Slo(ttft_s=0.12, tpot_s=0.04)
    together = replace(alone, together=True)
    assert 0 < goodput_per_s(one, mix, together, knee) <= goodput_per_s(one, mix, alone, knee)
    points = load_points(one, mix, knee)
    profile = Profile(shape=a_shape("m"), costs=one, points=points, evidence=Evidence.ROOFLINE)
    with pytest.raises(ValueError, match="hold together"):
        goodput_in(profile, together)


# building and caching


def test_the_same_input_gives_the_same_table(table: ProfileTable) -> None:
    assert build_profiles(SHAPES, LENGTHS, 1.0, seed=1) == table


def test_known_profiles_are_taken_as_they_are(table: ProfileTable) -> None:
    again = build_profiles(SHAPES[:2], LENGTHS, 1.0, seed=2, known=table.profiles)
    assert again.profiles == table.profiles[:2]


def test_a_shape_that_cannot_hold_the_longest_request_has_no_profile() -> None:
    small = replace(costs(), kv_capacity_tokens=100)
    assert build_profiles(((a_shape("m"), small),), LENGTHS, 1.0, seed=1).profiles == ()
    assert build_points((), LENGTHS, 1.0, seed=1) == ()


def test_a_hash_names_all_that_decides_the_points_and_nothing_else() -> None:
    one = costs()
    name = profile_hash(one, LENGTHS, 1.0, 1)
    surer = replace(one, evidence=Evidence.LEARNED, spread=0.1)
    assert profile_hash(surer, LENGTHS, 1.0, 1) == name
    others = {
        profile_hash(replace(one, kv_s=3e-8), LENGTHS, 1.0, 1),
        profile_hash(one, LENGTHS[1:], 1.0, 1),
        profile_hash(one, LENGTHS, 1.1, 1),
        profile_hash(one, LENGTHS, 1.0, 2),
        name,
    }
    assert len(others) == 5


def test_every_length_comes_equally_often_in_a_cycle() -> None:
    for count in (1, 7, 256):
        mix = request_mix(LENGTHS[:count], 1.0, 3)
        for start in range(0, 3 * mix.cycle, mix.cycle):
            assert sorted(mix.prompt_tokens[start : start + mix.cycle]) == sorted(
                n.prompt_tokens for n in LENGTHS[:count] for _ in range(mix.cycle // count)
            )


# how sure, and what was learned


@given(value=st.floats(1e-6, 1e6), spread=st.floats(0, 5))
def test_an_interval_is_as_many_times_less_as_more(value: float, spread: float) -> None:
    around = Interval.around(value, spread)
    assert 0 < around.low <= around.value <= around.high
    assert around.low * around.high == pytest.approx(value**2)


def test_a_profile_gives_any_share_of_requests_with_its_interval(table: ProfileTable) -> None:
    profile = table.profiles[1]
    rate = profile.points[3].rate_per_s
    found = profile.interval_at(Metric.TTFT, 0.95, rate)
    assert found.value == profile.points[3].ttft_s[P95]
    assert found.high == pytest.approx((1 + profile.costs.first_token_spread) * found.value)
    whole = profile.interval_at(Metric.E2E, 0.95, rate)
    assert whole.high == pytest.approx((1 + profile.costs.spread) * whole.value)
    levels = [profile.interval_at(Metric.E2E, level, rate).value for level in (0, 0.33, 0.5, 0.96, 1)]
    assert levels == sorted(levels)


@settings(max_examples=8, deadline=None)
@given(tempo=st.floats(0.5, 2.0), load=st.floats(0.1, 0.9))
def test_a_stretched_profile_is_what_simulating_slower_steps_gives(
    tempo: float, load: float, mix: RequestMix
) -> None:
    one = costs()
    rate = load * knee_per_s(one, mix)
    quick = mix.run(one, rate, 6)
    slow = mix.run(slower(one, tempo=tempo, added_s=0.0, spread=0.1), rate / tempo, 6)
    np.testing.assert_allclose(slow.ttft_s, tempo * quick.ttft_s, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(slow.tpot_s, tempo * quick.tpot_s, rtol=1e-9, atol=1e-9)


def test_correcting_is_undone_exactly_enough(table: ProfileTable) -> None:
    profile = table.profiles[0]
    after = corrected(profile, tempo=1.3, added_s=0.05, spread=0.1)
    assert (after.evidence, after.costs.spread, after.modelled) == (Evidence.LEARNED, 0.1, profile.costs)
    assert after.max_rate_per_s == pytest.approx(profile.max_rate_per_s / 1.3)
    assert after.points[0].ttft_s[P95] == pytest.approx(0.05 + 1.3 * profile.points[0].ttft_s[P95])
    back = as_modelled(after)
    assert (back.costs, back.evidence, back.learned) == (profile.costs, Evidence.ROOFLINE, None)
    for a, b in zip(back.points, profile.points, strict=True):
        for metric in Metric:
            assert a.of(metric) == pytest.approx(b.of(metric))


def test_no_request_reaches_the_engine_before_it_arrives(table: ProfileTable) -> None:
    profile = table.profiles[0]
    after = corrected(profile, tempo=1.0, added_s=-1.0, spread=0.1)
    assert after.costs.front_end_s == 0.0
    assert after.points == profile.points


def test_the_knee_itself_keeps_pace(mix: RequestMix) -> None:
    for _, one in SHAPES:
        knee = knee_per_s(one, mix)
        assert keeps_pace(one, mix, knee)
        assert not keeps_pace(one, mix, 1.1 * knee)
