"""What a split is worth, by one score, by prices and by lot: against brute force, chords and floors."""

from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.planner.splits import FloorSplits
from bouted.quality.curve import QualityCurve
from bouted.quality.evals import QualityModel, declared_quality
from bouted.quality.mixing import mixes
from bouted.quality.prices import chosen, prices_for
from bouted.quality.report import report
from bouted.quality.route_split import Judged, RouteSplit
from bouted.quality.simplex import FINE, Simplex
from bouted.quality.supported import prices_win

Floats = npt.NDArray[np.float64]

MODELS = ("a", "b", "c", "d", "e")


def by_score(scores: Floats) -> QualityModel:
    """Evals whose rows are in the order of the router's score."""
    n, models = scores.shape
    return QualityModel(
        models=MODELS[:models],
        router_scores=tuple((k + 0.5) / n for k in range(n)),
        scores=tuple(tuple(row) for row in scores.tolist()),
        scorer_hash="x",
    )


def specialists(prompts: int, noise: float, seed: int = 3) -> tuple[Floats, Floats]:
    """Scores of four models of which each is best at a kind of its own, and noisy predictions of them."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, prompts)
    truth = np.where(kind[:, None] == np.arange(4)[None, :], 0.95, 0.45) + rng.normal(0, 0.03, (prompts, 4))
    return np.clip(truth, 0, 1), truth + rng.normal(0, noise, (prompts, 4))


def by_prices(prompts: int = 400, noise: float = 0.1) -> QualityModel:
    scores, predicted = specialists(prompts, noise)
    rows = np.argsort(predicted[:, -1] - predicted[:, 0])
    return QualityModel(
        models=MODELS[:4],
        router_scores=tuple((k + 0.5) / prompts for k in range(prompts)),
        scores=tuple(tuple(row) for row in scores[rows].tolist()),
        scorer_hash="x",
        predicted=tuple(tuple(row) for row in predicted[rows].tolist()),
    )


@st.composite
def splits(draw: st.DrawFn, least: int = 2, most: int = 5) -> Floats:
    parts = draw(st.lists(st.floats(0, 1), min_size=least, max_size=most).filter(lambda p: sum(p) > 0.01))
    return np.array(parts) / sum(parts)


# The lattice


@given(splits(least=1))
def test_every_split_is_a_mix_of_those_around_it(split: Floats) -> None:
    simplex = Simplex(len(split), 7)
    corners, weights = simplex.corners(split)
    assert weights.min() >= -1e-9
    assert weights[0] @ simplex.splits[corners[0]] == pytest.approx(split, abs=1e-9)


@pytest.mark.parametrize("models", [1, 2, 3, 4, 5, 6])
def test_a_split_of_the_lattice_is_its_own_corner(models: int) -> None:
    simplex = Simplex(models, 5)
    corners, weights = simplex.corners(simplex.splits)
    assert weights.max(axis=1) == pytest.approx(1.0)
    assert np.array_equal(corners[np.arange(len(corners)), weights.argmax(axis=1)], np.arange(len(corners)))


# One score


@pytest.mark.parametrize("models", [2, 3])
def test_quality_by_score_is_the_mean_over_prompts(models: int) -> None:
    prompts = 16
    scores = np.random.default_rng(models).random((prompts, models))
    curve = QualityCurve.from_model(by_score(scores), 1)
    for ends in product(range(prompts + 1), repeat=models - 1):
        if any(low > high for low, high in pairwise(ends)):
            continue
        edges = (0, *ends, prompts)
        shares = np.diff(edges) / prompts
        by_hand = np.mean([scores[k, m] for m in range(models) for k in range(edges[m], edges[m + 1])])
        assert curve.mean(shares) >= by_hand - 1e-9, "a mix of rules may only add to it"
        if not curve._mixes:
            assert curve.mean(shares) == pytest.approx(by_hand)


# Prices


@settings(max_examples=25, deadline=None)
@given(splits(), st.integers(0, 10_000))
def test_prices_give_each_model_its_share(split: Floats, seed: int) -> None:
    models = len(split)
    predicted = np.random.default_rng(seed).normal(0.6, 0.2, (300, models))
    prices = prices_for(predicted, split[None])
    got = np.bincount(chosen(predicted, prices)[0], minlength=models) / 300
    assert np.abs(got - split).max() < 0.02
    assert got[split == 0].sum() == 0


def test_no_assignment_with_the_same_shares_has_higher_predictions_than_that_by_prices() -> None:
    predicted = np.random.default_rng(2).random((7, 2))
    shares = np.array([3 / 7, 4 / 7])
    which = chosen(predicted, prices_for(predicted, shares[None]))[0]
    assert np.bincount(which).tolist() == [3, 4]
    every = [w for w in product((0, 1), repeat=7) if sum(w) == 4]
    best = max(sum(predicted[k, m] for k, m in enumerate(w)) for w in every)
    assert sum(predicted[k, m] for k, m in enumerate(which)) == pytest.approx(best)


def test_quality_by_prices_is_that_of_the_queries_as_they_are_served() -> None:
    quality = by_prices()
    curve = QualityCurve.from_model(quality, 1)
    for shares in ((0.2, 0.3, 0.3, 0.2), (0.05, 0.05, 0, 0.9), (0.5, 0.5, 0, 0), (0.1, 0.2, 0.3, 0.4)):
        split = curve.route_split(shares)
        served = [split.model_for(Judged(score=0.5, predicted=row)) for row in quality.predicted]
        got = [served.count(model) / len(served) for model in MODELS[:4]]
        assert got == pytest.approx(shares, abs=0.01)
        scored = [row[MODELS.index(model)] for row, model in zip(quality.scores, served, strict=True)]
        assert float(np.mean(scored)) == pytest.approx(curve.mean(shares), abs=0.012)


def test_prices_are_taken_where_each_model_is_best_at_something_and_not_where_one_score_tells_all() -> None:
    scores, predicted = specialists(400, 0.2)
    order = np.argsort(predicted[:, -1] - predicted[:, 0])
    assert prices_win(scores[order], predicted[order], 1)
    rng = np.random.default_rng(1)
    hardness = np.sort(rng.random(400))
    graded = np.clip(np.array([0.5, 0.7, 0.9]) - 0.4 * hardness[:, None], 0, 1) + rng.normal(0, 0.1, (400, 3))
    assert not prices_win(graded, rng.normal(0.6, 0.1, (400, 3)), 1)
    assert not prices_win(scores[order][:, :2], predicted[order][:, :2], 1), "two models rank alike both ways"


def test_specialists_routed_by_prices_beat_one_score_and_lots() -> None:
    priced = by_prices()
    scored = QualityModel(
        models=priced.models,
        router_scores=priced.router_scores,
        scores=priced.scores,
        scorer_hash="x",
    )
    evenly = (0.25, 0.25, 0.25, 0.25)
    means = [QualityCurve.from_model(quality, 1).mean(evenly) for quality in (priced, scored)]
    lots = float(np.mean(priced.scores))
    assert means[0] > means[1] + 0.1
    assert means[1] > lots + 0.1


# Mixing


def sagging(prompts: int = 1200) -> Floats:
    """The small model fails on middling prompts alone, so giving it the easier half is a poor deal."""
    rank = np.arange(prompts) / prompts
    small = np.where((rank > 0.3) & (rank < 0.5), 0.0, 1.0)
    return np.column_stack([small, np.ones(prompts)])


def test_a_mix_of_two_rules_attains_the_chord_where_the_curve_sags() -> None:
    curve = QualityCurve.from_model(by_score(sagging()), 1)
    low, high = curve.mean((0.3, 0.7)), curve.mean((1.0, 0.0))
    assert (low, high) == pytest.approx((1.0, 0.8), abs=0.005)
    chord = low + (high - low) * 2 / 7
    assert curve.mean((0.5, 0.5)) == pytest.approx(chord, abs=0.005), "it would be 0.8 without a mix"
    split = curve.route_split((0.5, 0.5))
    assert len(split.rules) == 2
    assert sum(rule.weight for rule in split.rules) == pytest.approx(1.0)


def test_what_a_mix_promises_is_what_its_queries_get() -> None:
    scores = sagging()
    curve = QualityCurve.from_model(by_score(scores), 1)
    split = curve.route_split((0.5, 0.5))
    served, got = _served(split, scores)
    assert served == pytest.approx((0.5, 0.5), abs=0.03)
    assert got == pytest.approx(curve.mean((0.5, 0.5)), abs=0.02)


def _served(split: RouteSplit, scores: Floats) -> tuple[list[float], float]:
    """Shares and quality of each prompt, routed by a draw of its own."""
    rng, n = np.random.default_rng(5), len(scores)
    chose = [
        split.models.index(split.model_for(Judged(score=(k + 0.5) / n), draw))
        for k, draw in enumerate(rng.random(n).tolist())
    ]
    shares = [chose.count(m) / n for m in range(scores.shape[1])]
    return shares, float(np.mean(scores[np.arange(n), chose]))


def test_a_concave_curve_is_left_with_one_rule_and_noise_makes_no_mix() -> None:
    rng = np.random.default_rng(4)
    hardness = np.sort(rng.random(300))
    graded = np.column_stack([rng.random(300) > hardness, rng.random(300) > 0.3 * hardness]).astype(float)
    curve = QualityCurve.from_model(by_score(graded), 1)
    assert len(curve.route_split((0.62, 0.38)).rules) == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_mixes_never_lower_the_curve_and_keep_the_shares(seed: int, models: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = Simplex(models, 6).splits
    mean = rng.random(len(lattice))
    samples = mean[:, None] + rng.normal(0, 0.01, (len(lattice), 50))
    for at, mix in mixes(lattice, mean, samples).items():
        assert mix.weights.min() > 0
        assert mix.weights @ lattice[mix.splits] == pytest.approx(lattice[at], abs=1e-7)
        assert mix.weights @ mean[mix.splits] > mean[at]


# Lots, and the floor


def test_declared_scores_are_split_by_lot_with_no_interval() -> None:
    curve = QualityCurve.from_model(declared_quality({"large": 0.9, "small": 0.6, "middle": 0.8}), 1)
    assert curve.models == ("small", "middle", "large")
    assert curve.mean((0.5, 0.3, 0.2)) == pytest.approx(0.5 * 0.6 + 0.3 * 0.8 + 0.2 * 0.9)
    assert curve.low((0.5, 0.3, 0.2)) == pytest.approx(curve.mean((0.5, 0.3, 0.2)))
    assert curve.low((0, 0, 1)) == 0.9, "a floor of just that is met"
    assert (curve.best.name, curve.best.mean) == ("large", 0.9)
    split = curve.route_split((0.5, 0.3, 0.2))
    assert not split.judges
    draws = [split.model_for(Judged(score=0.0), (k + 0.5) / 1000) for k in range(1000)]
    assert [draws.count(model) for model in split.models] == [500, 300, 200]


@pytest.mark.parametrize("quality", [by_score(sagging(400)), by_prices()], ids=["score", "prices"])
def test_splits_that_meet_the_floor_meet_it_with_the_low_end(quality: QualityModel) -> None:
    curve = QualityCurve.from_model(quality, 1)
    floor = FloorSplits(curve, 0.7, 1)
    assert floor.met
    models = len(curve.models)
    found = floor.toward(np.eye(models), np.zeros(models))
    assert curve.mean_low(found)[:, 1].min() >= 0.7 - 1e-4
    assert np.all(curve.mean_low(floor.others(floor.best, np.random.default_rng(1)))[:, 1] >= 0.7 - 2e-4)


def test_more_models_than_the_lattice_is_made_for_are_taken() -> None:
    models = 7
    assert models not in FINE
    scores = np.random.default_rng(1).random((200, models))
    quality = QualityModel(
        models=tuple("abcdefg"),
        router_scores=tuple((k + 0.5) / 200 for k in range(200)),
        scores=tuple(tuple(row) for row in scores.tolist()),
        scorer_hash="x",
    )
    assert 0.3 < QualityCurve.from_model(quality, 1).mean([1 / models] * models) < 0.7


def test_predictions_that_do_not_fit_the_scores_are_refused() -> None:
    quality = by_prices(40)
    wrong = QualityModel(
        models=quality.models,
        router_scores=quality.router_scores,
        scores=quality.scores,
        scorer_hash="x",
        predicted=quality.predicted[:-1],
    )
    with pytest.raises(ValueError, match="a prediction a score"):
        QualityCurve.from_model(wrong, 1)


# The report


@pytest.mark.parametrize("prompts", [20, 37, 200])
def test_no_order_of_two_models_beats_the_oracle_and_it_is_near_the_best_order(prompts: int) -> None:
    scores = np.random.default_rng(prompts).choice([0.0, 0.5, 1.0], (prompts, 2))
    best = scores[np.argsort(scores[:, 1] - scores[:, 0], kind="stable")]
    for at in report(by_score(best), 1).at:
        k = round(at.shares[0] * len(best))
        exact = float(best[:k, 0].sum() + best[k:, 1].sum()) / len(best)
        assert at.router.value == pytest.approx(exact, abs=1.01 / len(best))
        assert at.oracle >= at.router.value - 0.5 / len(best) - 1e-9
        assert at.oracle <= exact + 1 / len(best) + 0.01
