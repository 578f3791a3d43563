"""What a split of queries over models is worth: its expected quality, and how sure that is."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bouted.quality.by_lot import ByLot
from bouted.quality.by_prices import ByPrices
from bouted.quality.by_score import ByScore
from bouted.quality.evals import QualityModel
from bouted.quality.mixing import mixes
from bouted.quality.route_split import RouteRule, RouteSplit
from bouted.quality.simplex import Simplex

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.90
LEAST_WEIGHT = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class BestModel:
    """The single model with the highest mean score: no split is promised to beat it."""

    name: str
    mean: float


class Routing(Protocol):
    """One way to tell queries apart."""

    steps: int

    def judged(self, splits: Floats, rng: np.random.Generator, resamples: int) -> tuple[Floats, Floats]:
        """Mean quality of lattice splits of so many `steps`, and that in each bootstrap resample."""
        ...

    def rule(self, shares: Floats) -> RouteRule:
        """The rule that gives each model its share."""
        ...


class QualityCurve:
    """The mean score of any split under the routing that the evals support.

    `shares` follow `models` (least able first), are not negative and sum to 1. Quality of shares is
    the mean, over the evaluated prompts, of the score of the model each would go to. It is worked out on an
    even lattice of splits and is linear in between, which a mix of the rules around attains. Where a mix
    of rules surely beats the rule of a split, that split is the mix. Uncertainty is the percentile bootstrap
    over prompts: every resample is drawn once, here, so all splits are judged on the same ones and the same
    model and seed give the same figures.
    """

    def __init__(self, quality: QualityModel, routing: Routing, seed: int, resamples: int):
        self.models = quality.models
        self._quality, self._routing, self._seed = quality, routing, seed
        self._simplex = Simplex(len(quality.models), routing.steps)
        splits, rng = self._simplex.splits, np.random.default_rng(seed)
        mean, samples = routing.judged(splits, rng, resamples)
        self._mixes = mixes(splits, mean, samples)
        self._mean, self._samples = mean.copy(), samples.astype(np.float64)
        for at, mix in self._mixes.items():
            self._mean[at] = mix.weights @ mean[mix.splits]
            self._samples[at] = mix.weights @ samples[mix.splits]

    @classmethod
    def from_model(cls, quality: QualityModel, seed: int, resamples: int = 200) -> "QualityCurve":
        """The curve of `quality`; ValueError when it has no prompts, or predictions that do not fit them."""
        shape, models = np.shape(quality.scores), len(quality.models)
        if len(shape) != 2 or shape[0] == 0 or shape[1] != models:
            raise ValueError(f"need a row of {models} scores a prompt, got shape {shape}")
        if quality.predicted and np.shape(quality.predicted) != shape:
            raise ValueError(f"need a prediction a score, got shape {np.shape(quality.predicted)}")
        return cls(quality, _routing(quality), seed, resamples)

    @property
    def best(self) -> BestModel:
        """The best single model; the more able one wins a tie."""
        means = np.mean(self._quality.scores, axis=0)
        index = len(means) - 1 - int(np.argmax(means[::-1]))
        return BestModel(name=self.models[index], mean=float(means[index]))

    @property
    def lattice(self) -> Floats:
        """The splits that the curve is linear between, `n x M`."""
        return self._simplex.splits

    def around(self, shares: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], Floats]:
        """For each split (`n x M`) the `M` places in `lattice` around it, and their weights."""
        return self._simplex.corners(shares)

    def mean(self, shares: npt.ArrayLike) -> float:
        """Expected quality of these shares, 0..1."""
        return float(self.mean_low(shares)[0, 0])

    def low(self, shares: npt.ArrayLike, confidence: float = CONFIDENCE) -> float:
        """Lower end of the two-sided bootstrap interval of `mean`."""
        return float(self.mean_low(shares, confidence)[0, 1])

    def mean_low(self, shares: npt.ArrayLike, confidence: float = CONFIDENCE) -> Floats:
        """`mean` and `low` of many splits: `n x M` shares in, `n x 2` out."""
        corners, weights = self._simplex.corners(shares)
        samples = weights[:, :1] * self._samples[corners[:, 0]]
        for m in range(1, corners.shape[1]):
            samples += weights[:, m : m + 1] * self._samples[corners[:, m]]
        low = np.quantile(samples, (1 - confidence) / 2, axis=1)
        return np.column_stack([np.sum(weights * self._mean[corners], axis=1), low])

    def route_split(self, shares: npt.ArrayLike) -> RouteSplit:
        """The rules that give each model its share of the queries."""
        wanted = np.asarray(shares, dtype=np.float64)
        corners, weights = self._simplex.corners(wanted)
        around = {int(at): float(w) for at, w in zip(corners[0], weights[0], strict=True) if w > LEAST_WEIGHT}
        mixed = len(around) > 1 and self._routing.steps == 1
        if mixed or any(at in self._mixes for at in around):
            rules = self._mixed(around)
        else:
            rules = (self._routing.rule(wanted),)
        return RouteSplit(
            models=self.models,
            shares=tuple(wanted.tolist()),
            rules=rules,
            scorer_hash=self._quality.scorer_hash,
            seed=self._seed,
        )

    def _mixed(self, around: dict[int, float]) -> tuple[RouteRule, ...]:
        """The rules of these lattice splits, each as often as its weight says."""
        parts: dict[int, float] = defaultdict(float)
        for at, weight in around.items():
            mix = self._mixes.get(at)
            ends = [(at, 1.0)] if mix is None else zip(mix.splits.tolist(), mix.weights.tolist(), strict=True)
            for end, part in ends:
                parts[end] += weight * part
        kept = {at: weight for at, weight in sorted(parts.items()) if weight > LEAST_WEIGHT}
        whole = sum(kept.values())
        rules = {at: self._routing.rule(self._simplex.splits[at]) for at in kept}
        return tuple(
            RouteRule(weight=weight / whole, thresholds=rules[at].thresholds, prices=rules[at].prices)
            for at, weight in kept.items()
        )


def _routing(quality: QualityModel) -> Routing:
    if quality.declared:
        return ByLot(quality)
    return ByPrices(quality) if quality.predicted else ByScore(quality)
