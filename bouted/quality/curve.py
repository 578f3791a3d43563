"""What a split of queries over models is worth: its expected quality, and how sure that is."""

from dataclasses import dataclass
from math import inf, nextafter

import numpy as np
import numpy.typing as npt

from bouted.quality.evals import QualityModel

Floats = npt.NDArray[np.float64]

GRID = 256
CONFIDENCE = 0.90


@dataclass(frozen=True, slots=True, kw_only=True)
class BestModel:
    """The single model with the highest mean score: no split is promised to beat it."""

    name: str
    mean: float


class QualityCurve:
    """The mean score of a split in which easier queries go to less able models.

    `shares` follow `models` (least able first), are not negative and sum to 1. Quality of shares is
    the mean, over the evaluated prompts, of the score of the model each would go to. Uncertainty is
    the percentile bootstrap over prompts: every resample is drawn once, here, so all splits are judged
    on the same ones and the same model and seed give the same figures.
    """

    def __init__(self, models: tuple[str, ...], router_scores: Floats, totals: Floats, resampled: Floats):
        self.models = models
        self._router_scores = router_scores
        self._totals = totals
        self._constant = resampled[-1, -1]
        # Quality is C_last(1) + sum over boundaries of (C_m - C_m+1)(boundary): one look-up a boundary.
        self._steps = np.ascontiguousarray(
            np.moveaxis(resampled[:, :-1] - resampled[:, 1:], 1, 0), dtype=np.float32
        )

    @classmethod
    def from_model(cls, quality: QualityModel, seed: int, resamples: int = 200) -> "QualityCurve":
        """The curve of `quality`; ValueError when it has no prompts."""
        scores = np.asarray(quality.scores, dtype=np.float64)
        if scores.ndim != 2 or scores.shape[0] == 0 or scores.shape[1] != len(quality.models):
            raise ValueError(f"need a row of {len(quality.models)} scores a prompt, got shape {scores.shape}")
        rng = np.random.default_rng(seed)
        grids = [_resampled(scores, rng) for _ in range(resamples)]
        resampled = np.stack(grids, axis=-1)
        return cls(quality.models, np.asarray(quality.router_scores), _totals(scores), resampled)

    @property
    def best(self) -> BestModel:
        """The best single model; the more able one wins a tie."""
        means = self._totals[-1]
        index = len(means) - 1 - int(np.argmax(means[::-1]))
        return BestModel(name=self.models[index], mean=float(means[index]))

    def mean(self, shares: npt.ArrayLike) -> float:
        """Expected quality of these shares, 0..1."""
        return float(self._means(_bounds(shares, len(self.models)))[0])

    def low(self, shares: npt.ArrayLike, confidence: float = CONFIDENCE) -> float:
        """Lower end of the two-sided bootstrap interval of `mean`."""
        bounds = _bounds(shares, len(self.models))
        return float(np.quantile(self._samples(bounds), (1 - confidence) / 2, axis=1)[0])

    def mean_low(self, shares: npt.ArrayLike, confidence: float = CONFIDENCE) -> Floats:
        """`mean` and `low` of many splits: `n x M` shares in, `n x 2` out."""
        bounds = _bounds(shares, len(self.models))
        low = np.quantile(self._samples(bounds), (1 - confidence) / 2, axis=1)
        return np.column_stack([self._means(bounds), low])

    def thresholds(self, shares: npt.ArrayLike) -> tuple[float, ...]:
        """The `M - 1` ascending router scores that give each model its share, for `RouteSplit`.

        A query goes to the first model whose threshold is above its score, so 0 gives a model nothing.
        Prompts with equal router scores cannot be told apart: the share nearest from below is met.
        """
        found = self._router_scores
        cuts: list[float] = []
        for bound in _bounds(shares, len(self.models))[0]:
            k = round(float(bound) * len(found))
            if k <= 0:
                cuts.append(0.0)
            elif k >= len(found):
                cuts.append(1.0 if found[-1] < 1.0 else nextafter(float(found[-1]), inf))
            else:
                middle = float(found[k - 1] + found[k]) / 2
                cuts.append(middle if middle > found[k - 1] else float(found[k]))
        return tuple(np.maximum.accumulate(cuts).tolist()) if cuts else ()

    def _means(self, bounds: Floats) -> Floats:
        at = bounds * (len(self._totals) - 1)
        below = np.minimum(at.astype(np.intp), len(self._totals) - 2)
        part = at - below
        mean = np.full(len(bounds), self._totals[-1, -1])
        for m in range(bounds.shape[1]):
            step = self._totals[:, m] - self._totals[:, m + 1]
            mean += step[below[:, m]] * (1 - part[:, m]) + step[below[:, m] + 1] * part[:, m]
        return mean

    def _samples(self, bounds: Floats) -> Floats:
        at = bounds * GRID
        below = np.minimum(at.astype(np.intp), GRID - 1)
        part = (at - below).astype(np.float32)
        found = np.tile(self._constant, (len(bounds), 1))
        for m, step in enumerate(self._steps):
            found += step[below[:, m]] * (1 - part[:, m, None])
            found += step[below[:, m] + 1] * part[:, m, None]
        return found


def _bounds(shares: npt.ArrayLike, models: int) -> Floats:
    """Where each model but the last ends on the axis of difficulty: `n x (M - 1)`, ascending, 0..1."""
    given = np.atleast_2d(np.asarray(shares, dtype=np.float64))
    if given.shape[1] != models or np.any(given < -1e-9) or np.any(np.abs(given.sum(axis=1) - 1) > 1e-6):
        raise ValueError(f"need {models} shares a split, none negative, summing to 1; got {shares!r}")
    return np.clip(np.cumsum(given, axis=1)[:, :-1], 0.0, 1.0)


def _totals(scores: Floats) -> Floats:
    """Row k: what the k easiest prompts add to each model's mean. `(n + 1) x M`."""
    start = np.zeros((1, scores.shape[1]))
    return np.concatenate([start, np.cumsum(scores, axis=0) / len(scores)])


def _resampled(scores: Floats, rng: np.random.Generator) -> Floats:
    """`_totals` of one bootstrap resample, on a grid: `(GRID + 1) x M`."""
    n = len(scores)
    totals = _totals(scores[np.sort(rng.integers(0, n, n))])
    at = np.linspace(0.0, n, GRID + 1)
    return np.stack([np.interp(at, np.arange(n + 1), totals[:, m]) for m in range(scores.shape[1])], axis=1)
