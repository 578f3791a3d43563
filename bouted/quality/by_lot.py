"""Routing by lot: where nothing is known of queries, each draws its model."""

import numpy as np
import numpy.typing as npt

from bouted.quality.evals import QualityModel
from bouted.quality.route_split import RouteRule

Floats = npt.NDArray[np.float64]


class ByLot:
    """What splits are worth when each model scores as declared on every query; nothing tells how surely."""

    steps = 1

    def __init__(self, quality: QualityModel) -> None:
        self._declared = np.asarray(quality.scores, dtype=np.float64)[0]

    def judged(self, splits: Floats, rng: np.random.Generator, resamples: int) -> tuple[Floats, Floats]:
        """The declared quality of these splits, the same in every resample."""
        mean = splits @ self._declared
        return mean, np.repeat(mean[:, None], resamples, axis=1)

    def rule(self, shares: Floats) -> RouteRule:
        """All queries to the model of the largest share: a lattice of one step has no other splits."""
        one = int(np.argmax(shares))
        return RouteRule(thresholds=(0.0,) * one + (1.0,) * (len(shares) - 1 - one))
