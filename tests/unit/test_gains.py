"""The expected gain of a design in hypervolume: against sampling, and what it says of what cannot help."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.planner.front import unbeaten
from bouted.planner.gains import (
    Unsure,
    Worst,
    expected_growth,
    expected_saving,
    expected_speedup,
    hypervolume,
)

Floats = npt.NDArray[np.float64]

WORST = Worst(usd_per_hour=10.0, p95_s=2.0, quality=0.5)
NOTHING = np.zeros((0, 3))


def some_known(n: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(2, 9, n), rng.uniform(0.2, 1.9, n), rng.uniform(0.5, 0.9, n)])


def one(usd: float, seconds: float, quality: float, *, width: float = 0.1, odds: float = 1.0) -> Unsure:
    return Unsure(
        usd_per_hour=np.array([usd]),
        quality=np.array([quality]),
        mean=np.log([seconds]),
        width=np.array([width]),
        odds=np.array([odds]),
    )


def test_the_hypervolume_of_one_design_is_its_box() -> None:
    assert hypervolume(np.array([[4.0, 0.5, 0.8]]), WORST) == pytest.approx(6.0 * 1.5 * 0.3)


def test_a_design_that_another_beats_adds_no_volume() -> None:
    alone = np.array([[4.0, 0.5, 0.8]])
    assert hypervolume(np.vstack([alone, [5.0, 0.6, 0.7]]), WORST) == pytest.approx(hypervolume(alone, WORST))


@given(
    seed=st.integers(0, 200),
    usd=st.floats(1.0, 9.9),
    seconds=st.floats(0.2, 2.2),
    quality=st.floats(0.5, 0.95),
    width=st.floats(0.02, 0.4),
)
def test_the_expected_growth_is_the_mean_growth_of_many_draws(
    seed: int, usd: float, seconds: float, quality: float, width: float
) -> None:
    known = unbeaten(some_known(6, seed))
    levels = np.sort(np.random.default_rng(seed).normal(size=400))
    levels = (levels - levels.mean()) / levels.std()
    before = hypervolume(known, WORST)
    drawn = [
        hypervolume(np.vstack([known, [usd, seconds * np.exp(width * z), quality]]), WORST) - before
        for z in levels
    ]
    found = float(expected_growth(known, one(usd, seconds, quality, width=width), WORST)[0])
    assert found == pytest.approx(float(np.mean(drawn)), rel=0.1, abs=0.02)


def test_with_nothing_known_a_sure_design_is_worth_its_whole_box() -> None:
    found = expected_growth(NOTHING, one(4.0, 0.5, 0.8, width=1e-4), WORST)
    assert found[0] == pytest.approx(6.0 * 1.5 * 0.3, rel=1e-3)


@pytest.mark.parametrize(
    "useless",
    [
        one(4.0, 3.0, 0.8, width=0.01),
        one(10.5, 0.5, 0.8),
        one(4.0, 0.5, 0.4),
        one(4.0, 0.5, 0.8, odds=0.0),
        one(6.0, 0.9, 0.6, width=0.01),
    ],
    ids=["too slow", "too dear", "below the floor", "breaks another target", "beaten by what is known"],
)
def test_what_cannot_help_is_worth_nothing(useless: Unsure) -> None:
    known = np.array([[5.0, 0.5, 0.8]])
    assert expected_growth(known, useless, WORST)[0] == pytest.approx(0.0, abs=1e-9)


def test_doubt_makes_a_design_that_looks_a_little_too_slow_worth_something() -> None:
    sure, unsure = (one(4.0, 2.1, 0.8, width=width) for width in (0.005, 0.1))
    assert expected_growth(NOTHING, sure, WORST)[0] == pytest.approx(0.0, abs=1e-9)
    assert expected_growth(NOTHING, unsure, WORST)[0] > 0.01


def test_saving_counts_only_what_is_cheaper_and_likely_in_time() -> None:
    cheaper, dearer, late = one(3.0, 1.0, 0.8), one(6.0, 1.0, 0.8), one(3.0, 4.0, 0.8)
    saved = [float(expected_saving(5.0, item, WORST)[0]) for item in (cheaper, dearer, late)]
    assert saved[0] == pytest.approx(2.0, rel=1e-3)
    assert saved[1:] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_speed_counts_down_from_the_fastest_known() -> None:
    assert expected_speedup(1.0, one(3.0, 0.4, 0.8, width=1e-3))[0] == pytest.approx(0.6, rel=1e-2)
    assert expected_speedup(1.0, one(3.0, 1.5, 0.8, width=1e-3))[0] == pytest.approx(0.0, abs=1e-9)


@given(st.integers(0, 500))
def test_of_each_set_the_unbeaten_are_those_that_no_other_row_beats(seed: int) -> None:
    values = np.round(some_known(20, seed), 1)
    kept = {tuple(row) for row in unbeaten(values)}
    for row in values:
        as_good = (values[:, 0] <= row[0]) & (values[:, 1] <= row[1]) & (values[:, 2] >= row[2])
        beaten = bool(np.any(as_good & np.any(values != row, axis=1)))
        assert (tuple(row) in kept) is not beaten
