"""How good a router is: quality at several shares against lots and against an oracle, out of fold."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.quality.evals import QualityModel
from bouted.quality.prices import chosen, prices_for
from bouted.quality.simplex import FEWEST_STEPS, Simplex
from bouted.quality.supported import chosen_in_order

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

# Splits that are shown: these shares to the most able model, the rest evenly to the others.
SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
GAIN_STEPS = {2: 50, 3: 12, 4: 7}
RIGHT = 0.5
RESAMPLES = 400
CONFIDENCE = 0.90


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with the ends of its two-sided 90 % bootstrap interval over prompts."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AtShares:
    """Quality of one split: by the router, by lot, and at most by an oracle that knows the scores."""

    shares: tuple[float, ...]
    router: Interval
    lot: float
    gain: Interval
    oracle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterReport:
    """A router's worth on `prompts` evals.

    `alone` is each model's mean score, least able first. `auc` is that of the router score for "the least
    able model fails (below 0.5) where the most able succeeds"; None when that never, or always, happens.
    `router_gain` is the mean over all splits, evenly, of quality above that by lot: with two models, the
    area between the quality curve and its chord. `prices` says that queries go by a price per model.
    """

    models: tuple[str, ...]
    prompts: int
    synthetic: bool
    prices: bool
    alone: tuple[Interval, ...]
    at: tuple[AtShares, ...]
    auc: Interval | None
    router_gain: Interval


def report(quality: QualityModel, seed: int) -> RouterReport:
    """What the evals say of the router behind `quality`; the same seed gives the same intervals."""
    scores = np.asarray(quality.scores, dtype=np.float64)
    n, models = scores.shape
    rng = np.random.default_rng(seed)
    drawn = np.array([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(RESAMPLES)]) / n
    splits = Simplex(models, GAIN_STEPS.get(models, FEWEST_STEPS)).splits
    gained = _routed(quality, splits).mean(axis=0) - scores @ splits.mean(axis=0)
    return RouterReport(
        models=quality.models,
        prompts=n,
        synthetic=quality.synthetic,
        prices=bool(quality.predicted),
        alone=tuple(_interval(scores[:, m], drawn) for m in range(models)),
        at=tuple(_at(quality, split, drawn) for split in _shown(models)),
        auc=_auc(quality, drawn),
        router_gain=_interval(gained, drawn),
    )


def _shown(models: int) -> list[Floats]:
    if models < 2:
        return [np.ones(1)]
    return [np.append(np.full(models - 1, (1 - most) / (models - 1)), most) for most in SHOWN]


def _at(quality: QualityModel, split: Floats, drawn: Floats) -> AtShares:
    scores = np.asarray(quality.scores)
    by_router, by_lot = _routed(quality, split[None])[0], scores @ split
    return AtShares(
        shares=tuple(round(share, 6) for share in split.tolist()),
        router=_interval(by_router, drawn),
        lot=float(by_lot.mean()),
        gain=_interval(by_router - by_lot, drawn),
        oracle=_oracle(scores, split),
    )


def _routed(quality: QualityModel, splits: Floats) -> Floats:
    """The score of the model that each prompt goes to, for each split: `s x n`."""
    scores, predicted = np.asarray(quality.scores), np.asarray(quality.predicted)
    n = len(scores)
    priced = bool(quality.predicted)
    which = chosen(predicted, prices_for(predicted, splits)) if priced else chosen_in_order(n, splits)
    return np.asarray(scores[np.arange(n), which])


def _oracle(scores: Floats, split: Floats) -> float:
    """What no router can beat at these shares: the value of any prices, here the best ones found.

    Nor can it beat the best model of each prompt, which is nearer where many prompts are scored alike.
    """
    prices = prices_for(scores, split[None])[0]
    by_prices = (scores + prices).max(axis=1).mean() - split @ prices
    return float(min(by_prices, scores[:, split > 0].max(axis=1).mean()))


def _auc(quality: QualityModel, drawn: Floats) -> Interval | None:
    # Only reports need it; planning fits without it.
    from sklearn.metrics import roc_auc_score

    scores, found = np.asarray(quality.scores), np.asarray(quality.router_scores)
    gains = (scores[:, 0] < RIGHT) & (scores[:, -1] >= RIGHT)
    if gains.all() or not gains.any():
        return None
    kept = [row for row in drawn if 0 < row[gains].sum() < row.sum()]
    again = [roc_auc_score(gains, found, sample_weight=row) for row in kept]
    return _ends(float(roc_auc_score(gains, found)), np.array(again))


def _interval(values: Floats, drawn: Floats) -> Interval:
    return _ends(float(values.mean()), drawn @ values)


def _ends(value: float, again: Floats) -> Interval:
    low, high = np.quantile(again, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(value=value, low=float(low), high=float(high))
