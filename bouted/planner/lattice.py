"""Quality over all splits, made concave: the splits that its envelope hangs on, each with its low quality."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.stats import qmc

from bouted.planner.splits import on_simplex
from bouted.quality.curve import QualityCurve

Floats = npt.NDArray[np.float64]

# Steps from no share to all of it, by the number of models: a few hundred splits each.
STEPS = {1: 1, 2: 200, 3: 28, 4: 12, 5: 8}
FEWEST_STEPS = 6
CHECKED = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """Splits (`n x M`) and the low quality of each (`n`), such that every split is a mix of them.

    A split has at most the quality of its best mix plus `excess`: how far the curve was found above its
    own envelope between the points of the lattice it was taken from.
    """

    splits: Floats
    low: Floats
    excess: float


def lattice(curve: QualityCurve, seed: int) -> Lattice:
    """The envelope of a quality curve, from a lattice that is coarser where there are many models."""
    models = len(curve.models)
    steps = STEPS.get(models, FEWEST_STEPS)
    splits = _even(models, steps)
    low = curve.mean_low(splits)[:, 1]
    kept = _on_top(splits, low)
    return Lattice(splits=splits[kept], low=low[kept], excess=_excess(curve, models, steps, seed))


def _on_top(splits: Floats, low: Floats) -> npt.NDArray[np.int64]:
    """The splits at which the concave envelope touches; the corners are always among them."""
    corners = np.flatnonzero(splits.max(axis=1) == 1.0)
    if splits.shape[1] == 1:
        return corners
    points = np.hstack([splits[:, :-1], low[:, None]])
    # A point far below makes the hull solid however flat the curve is.
    below = np.append(splits[:, :-1].mean(axis=0), low.min() - 1.0)
    hull = ConvexHull(np.vstack([points, below]))
    upper = hull.equations[:, -2] > 1e-12
    return np.unique(np.concatenate([corners, hull.simplices[upper].ravel()])).astype(np.int64)


def _even(models: int, steps: int) -> Floats:
    """Every split whose shares are multiples of one step."""
    if models == 1:
        return np.ones((1, 1))
    bars = np.array(list(combinations(range(steps + models - 1), models - 1)), dtype=np.float64)
    bars = bars.reshape(-1, models - 1)
    edges = np.hstack([np.full((len(bars), 1), -1.0), bars, np.full((len(bars), 1), steps + models - 1.0)])
    return np.asarray((np.diff(edges, axis=1) - 1) / steps)


def _excess(curve: QualityCurve, models: int, steps: int, seed: int) -> float:
    """How much a split may be better than the even mix of two close ones on the lattice around it."""
    if models == 1:
        return 0.0
    middle = on_simplex(qmc.Sobol(models - 1, scramble=True, rng=seed).random(CHECKED))
    step = np.eye(models)[0] - np.eye(models)[-1]
    move = np.minimum(1 / steps, np.minimum(middle[:, 0], middle[:, -1]))[:, None] * step
    mixed = (curve.mean_low(middle + move)[:, 1] + curve.mean_low(middle - move)[:, 1]) / 2
    return float(max(0.0, np.quantile(curve.mean_low(middle)[:, 1] - mixed, 0.99)))
