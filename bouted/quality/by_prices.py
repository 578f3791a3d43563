"""Routing by predictions: each query goes to the model of the highest predicted score plus price."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bouted.quality.evals import QualityModel
from bouted.quality.prices import chosen, prices_for
from bouted.quality.route_split import RouteRule
from bouted.quality.simplex import FEWEST_STEPS, ROUGH, Simplex

Floats = npt.NDArray[np.float64]


class ByPrices:
    """What splits of `quality` are worth when each prompt goes where its prediction plus price is highest."""

    def __init__(self, quality: QualityModel) -> None:
        self._quality = quality
        self._predicted = np.asarray(quality.predicted)
        self._scores = np.asarray(quality.scores, dtype=np.float64)
        self.steps = ROUGH.get(len(quality.models), FEWEST_STEPS)

    def judged(self, splits: Floats, rng: np.random.Generator, resamples: int) -> tuple[Floats, Floats]:
        """Mean quality of these lattice splits, and that in each bootstrap resample of the prompts.

        Prices are those of the evals in every resample: shares differ a little from one to the next.
        """
        n = len(self._scores)
        which = chosen(self._predicted, _lattice_prices(self._quality, self.steps))
        got = self._scores[np.arange(n), which].astype(np.float32)
        drawn = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(resamples)]
        return got.mean(axis=1, dtype=np.float64), got @ (np.array(drawn, dtype=np.float32).T / n)

    def rule(self, shares: Floats) -> RouteRule:
        """Prices that give each model its share."""
        return RouteRule(prices=tuple(prices_for(self._predicted, shares[None])[0].tolist()))


@lru_cache(maxsize=2)
def _lattice_prices(quality: QualityModel, steps: int) -> Floats:
    """Takes a second where there are a thousand prompts: a plan asks for it several times."""
    return prices_for(np.asarray(quality.predicted), Simplex(len(quality.models), steps).splits)
