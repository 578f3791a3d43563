"""Truth online: slower engines are learned in a few windows, changes are followed, silence forgets."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.gpus import Evidence
from bouted.perf.arrivals import arrivals
from bouted.perf.belief import Reading, aged, spread_of, taught, unlearned, variance_of
from bouted.perf.build import build_profiles
from bouted.perf.costs import roofline
from bouted.perf.learn import HALF_LIFE_S, Correction, believed, learned
from bouted.perf.profile import Profile
from bouted.perf.rescale import slower
from bouted.perf.service import Service, Statistic
from bouted.perf.simulate import simulate_replica
from bouted.testing.builders import a_shape
from bouted.testing.fleet import START
from bouted.workload.declared import declared_profile

LENGTHS = declared_profile(
    rate_per_s=1, prompt_tokens=260, output_tokens=110, arrival_cv=1.0, most_tokens=4096, seed=1
).lengths
WINDOW_S = 60.0
WINDOW = timedelta(seconds=WINDOW_S)


@pytest.fixture(scope="module")
def modelled() -> Profile:
    costs = roofline(
        overhead_s=0.004,
        weights_s=0.02,
        compute_s_per_token=1e-4,
        kv_s_per_token=2e-8,
        kv_capacity_tokens=100_000,
        max_batch=256,
        max_step_tokens=2048,
        evidence=Evidence.ROOFLINE,
        spread=0.4,
    )
    return build_profiles(((a_shape("m"), costs),), LENGTHS, 1.0, seed=1).profiles[0]


def service(
    profile: Profile,
    *,
    tempo: float,
    load: float = 0.4,
    seed: int = 0,
    late_s: float = 0.0,
    statistic: Statistic = Statistic.MEDIAN,
) -> Service:
    """A window of an engine that is really `tempo` times slower, simulated step by step."""
    rate = load * profile.max_rate_per_s / max(1.0, tempo)
    count = 200 + int(rate * WINDOW_S)
    picks = np.random.default_rng(seed).integers(0, len(LENGTHS), count)
    prompt = np.array([LENGTHS[i].prompt_tokens for i in picks])
    output = np.array([LENGTHS[i].output_tokens for i in picks])
    costs = slower(profile.costs, tempo=tempo, added_s=0.0, spread=0.0)
    seen = simulate_replica(costs, arrivals(rate, 1.0, count, seed), prompt, output)
    middle = np.median if statistic is Statistic.MEDIAN else np.mean
    return Service(
        requests=count - 200,
        failed=0,
        rate_per_s=rate,
        prompt_tokens=float(prompt[200:].mean()),
        output_tokens=float(output[200:].mean()),
        ttft_s=float(middle(seen.ttft_s[200:])) + late_s,
        tpot_s=float(middle(seen.tpot_s[200:])),
        statistic=statistic,
    )


def after_windows(
    profile: Profile, tempos: list[float], *, statistic: Statistic = Statistic.MEDIAN, late_s: float = 0.0
) -> list[Correction]:
    """What is believed after each window of an engine with these tempos."""
    found: list[Correction] = []
    for n, tempo in enumerate(tempos):
        seen = service(profile, tempo=tempo, seed=n, statistic=statistic, late_s=late_s)
        before = found[-1] if found else None
        after = learned(before, profile, LENGTHS, seen, START + n * WINDOW)
        assert after is not None
        found.append(after)
    return found


@pytest.mark.parametrize("tempo", [0.75, 1.0, 1.3, 1.5])
@pytest.mark.parametrize("statistic", list(Statistic))
def test_the_tempo_of_an_engine_is_learned_within_five_percent_in_a_few_windows(
    tempo: float, statistic: Statistic, modelled: Profile
) -> None:
    found = after_windows(modelled, [tempo] * 5, statistic=statistic)
    assert found[-1].tempo.factor == pytest.approx(tempo, rel=0.05)
    deviations = [one.tempo.deviation for one in found]
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[-1] < 0.25 * variance_of(0.4) ** 0.5


@pytest.mark.parametrize("load", [0.1, 0.5, 0.75])
def test_load_is_not_taken_for_slowness(load: float, modelled: Profile) -> None:
    found = learned(None, modelled, LENGTHS, service(modelled, tempo=1.0, load=load, seed=5), START)
    assert found is not None
    assert found.tempo.factor == pytest.approx(1.0, abs=0.06)


def test_an_engine_that_is_as_modelled_changes_no_plan(modelled: Profile) -> None:
    found = after_windows(modelled, [1.0] * 12)
    assert found[-1].applied_tempo == pytest.approx(1.0, abs=0.021)
    changes = sum(a.applied_tempo != b.applied_tempo for a, b in pairwise(found))
    assert changes <= 1


def test_a_step_change_is_followed(modelled: Profile) -> None:
    found = after_windows(modelled, [1.0] * 6 + [1.3] * 4)
    assert found[5].tempo.factor == pytest.approx(1.0, abs=0.05)
    assert found[-1].tempo.factor == pytest.approx(1.3, rel=0.05)


def test_one_bad_window_changes_nothing(modelled: Profile) -> None:
    found = after_windows(modelled, [1.0] * 6 + [2.0] + [1.0] * 2)
    assert found[6].tempo.factor == pytest.approx(found[5].tempo.factor, abs=1e-3)
    assert found[-1].tempo.factor == pytest.approx(1.0, abs=0.05)
    assert found[-1].tempo.aside is None


def test_silence_forgets(modelled: Profile) -> None:
    correction = after_windows(modelled, [1.3] * 5)[-1]
    soon, late = START + timedelta(hours=1), START + timedelta(seconds=6 * HALF_LIFE_S)
    assert believed(modelled, correction, soon).learned is not None
    assert believed(modelled, correction, late) == modelled
    spreads = [
        believed(modelled, correction, START + timedelta(days=days)).costs.spread for days in (0, 3, 9, 60)
    ]
    assert spreads == sorted(spreads)
    assert spreads[-1] == modelled.costs.spread


def test_what_was_learned_is_believed_with_less_doubt(modelled: Profile) -> None:
    correction = after_windows(modelled, [1.3] * 5)[-1]
    profile = believed(modelled, correction, START + 5 * WINDOW)
    assert profile.evidence is profile.costs.evidence is Evidence.LEARNED
    assert profile.costs.spread < 0.1 < modelled.costs.spread
    assert profile.costs.tokens_s[0] == pytest.approx(1.3 * modelled.costs.tokens_s[0], rel=0.05)
    assert profile.max_rate_per_s == pytest.approx(modelled.max_rate_per_s / 1.3, rel=0.05)
    assert profile.modelled == modelled.costs


def test_what_is_left_of_ttft_is_laid_to_what_comes_before_the_engine(modelled: Profile) -> None:
    correction = after_windows(modelled, [1.0] * 6, late_s=0.05)[-1]
    profile = believed(modelled, correction, START + 6 * WINDOW)
    assert profile.costs.front_end_s == pytest.approx(0.05, abs=0.01)


def test_a_drift_within_a_step_is_not_applied(modelled: Profile) -> None:
    found = after_windows(modelled, [1.3] * 5)[-1]
    shifted = replace(found, tempo=replace(found.tempo, log=np.log(found.applied_tempo) + 0.015))
    now = START + 5 * WINDOW
    assert believed(modelled, shifted, now).costs.tokens_s == believed(modelled, found, now).costs.tokens_s
    moved = replace(found, tempo=replace(found.tempo, log=np.log(found.applied_tempo) + 0.025))
    assert believed(modelled, moved, now).costs.tokens_s != believed(modelled, found, now).costs.tokens_s


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("too few requests", {"requests": 29}),
        ("failing", {"failed": 40}),
        ("saturated", {"rate_per_s": 1e3}),
        ("other prompts", {"prompt_tokens": 1000.0}),
        ("other answers", {"output_tokens": 10.0}),
        ("nobody measured", {"tpot_s": None}),
    ],
)
def test_windows_that_cannot_tell_are_not_believed(
    why: str, change: dict[str, float | None], modelled: Profile
) -> None:
    before = after_windows(modelled, [1.0])[-1]
    seen = replace(service(modelled, tempo=1.5), **change)  # type: ignore[arg-type]
    assert learned(before, modelled, LENGTHS, seen, START + WINDOW) is before, why
    assert learned(None, modelled, LENGTHS, seen, START) is None, why


# beliefs


@given(
    logs=st.lists(st.floats(-1, 1), min_size=1, max_size=8),
    noise=st.floats(1e-4, 0.1),
    prior=st.floats(1e-4, 0.2),
)
def test_a_belief_stays_between_the_prior_and_its_readings(
    logs: list[float], noise: float, prior: float
) -> None:
    belief = unlearned(prior, START)
    for n, one in enumerate(logs):
        belief = taught(belief, prior, Reading(log=one, variance=noise), START + n * WINDOW, HALF_LIFE_S)
    assert min(0.0, *logs) - 1e-9 <= belief.log <= max(0.0, *logs) + 1e-9
    assert 0 < belief.variance <= prior * (1 + 1e-9)


@given(days=st.floats(0, 1000), log=st.floats(-1, 1), variance=st.floats(1e-5, 0.05))
def test_age_only_takes_away(days: float, log: float, variance: float) -> None:
    belief = replace(unlearned(0.05, START), log=log, variance=variance)
    later = aged(belief, 0.05, START + timedelta(days=days), HALF_LIFE_S)
    assert abs(later.log) <= abs(log)
    assert variance - 1e-12 <= later.variance <= 0.05 + 1e-12


def test_a_half_life_halves_the_mean(modelled: Profile) -> None:
    belief = replace(unlearned(0.05, START), log=0.4, variance=0.01)
    later = aged(belief, 0.05, START + timedelta(seconds=HALF_LIFE_S), HALF_LIFE_S)
    assert later.log == pytest.approx(0.2)
    assert later.variance == pytest.approx(0.05 - 0.04 / 4)


@given(spread=st.floats(0.001, 3))
def test_a_spread_and_its_variance_name_each_other(spread: float) -> None:
    assert spread_of(variance_of(spread)) == pytest.approx(spread)


def test_a_clock_that_goes_back_does_no_harm() -> None:
    belief = unlearned(0.05, START)
    earlier: datetime = START - timedelta(days=1)
    assert aged(belief, 0.05, earlier, HALF_LIFE_S) == belief
