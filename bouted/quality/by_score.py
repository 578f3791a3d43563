"""Routing by one score: easier queries go to less able models, cut at thresholds."""

from math import inf, nextafter

import numpy as np
import numpy.typing as npt

from bouted.quality.evals import QualityModel
from bouted.quality.route_split import RouteRule
from bouted.quality.simplex import FEWEST_STEPS, FINE

Floats = npt.NDArray[np.float64]


class ByScore:
    """What splits of `quality` are worth when its prompts are cut in the order of their router scores."""

    def __init__(self, quality: QualityModel) -> None:
        self._found = np.asarray(quality.router_scores)
        self._scores = np.asarray(quality.scores, dtype=np.float64)
        self.steps = FINE.get(len(quality.models), FEWEST_STEPS)

    def judged(self, splits: Floats, rng: np.random.Generator, resamples: int) -> tuple[Floats, Floats]:
        """Mean quality of these lattice splits, and that in each bootstrap resample of the prompts."""
        n = len(self._scores)
        whole = _totals(self._scores, self.steps)[:, :, None]
        drawn = (np.sort(rng.integers(0, n, n)) for _ in range(resamples))
        again = np.stack([_totals(self._scores[rows], self.steps) for rows in drawn], axis=-1)
        return _of_splits(whole, splits)[:, 0], _of_splits(again, splits)

    def rule(self, shares: Floats) -> RouteRule:
        """Thresholds that give each model its share.

        Prompts with equal scores cannot be told apart: the share nearest from below is met.
        """
        ends = np.clip(np.cumsum(shares)[:-1], 0.0, 1.0)
        cuts = np.maximum.accumulate([self._cut(float(end)) for end in ends]) if len(ends) else ends
        return RouteRule(thresholds=tuple(cuts.tolist()))

    def _cut(self, end: float) -> float:
        found, k = self._found, round(end * len(self._found))
        if k <= 0:
            return 0.0
        if k >= len(found):
            return 1.0 if found[-1] < 1.0 else nextafter(float(found[-1]), inf)
        middle = float(found[k - 1] + found[k]) / 2
        return middle if middle > found[k - 1] else float(found[k])


def _totals(scores: Floats, steps: int) -> Floats:
    """Row k: what the easiest k / `steps` of the prompts add to each model's mean."""
    n = len(scores)
    sums = np.vstack([np.zeros((1, scores.shape[1])), np.cumsum(scores, axis=0) / n])
    at, known = np.linspace(0.0, n, steps + 1), np.arange(n + 1)
    return np.stack([np.interp(at, known, sums[:, m]) for m in range(scores.shape[1])], axis=1)


def _of_splits(totals: Floats, splits: Floats) -> Floats:
    """Quality is the last model's over all prompts, and at each end the model before it for the one after."""
    ends = np.rint(np.cumsum(splits, axis=1) * (len(totals) - 1)).astype(np.intp)
    found = np.repeat(totals[-1:, -1], len(splits), axis=0)
    for m in range(splits.shape[1] - 1):
        found = found + (totals[:, m] - totals[:, m + 1])[ends[:, m]]
    return np.asarray(found)
