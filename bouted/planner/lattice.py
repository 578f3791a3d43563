"""Quality over all splits, made concave: the splits that its envelope hangs on, each with its low quality."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull
from scipy.stats import qmc

from bouted.planner.splits import on_simplex
from bouted.quality.curve import QualityCurve

Floats = npt.NDArray[np.float64]

CHECKED = 512
# Lattice splits around one.
NEARBY = 48


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """Splits (`n x M`) and the low quality of each (`n`), such that every split is a mix of them.

    A split has at most the quality of its best mix plus `excess`: how far a split was found above the points
    of the lattice around it.
    """

    splits: Floats
    low: Floats
    excess: float


def lattice(curve: QualityCurve, seed: int) -> Lattice:
    """The envelope of a quality curve."""
    splits = curve.lattice
    low = curve.mean_low(splits)[:, 1]
    kept = _on_top(splits, low)
    return Lattice(splits=splits[kept], low=low[kept], excess=_excess(curve, seed))


def nearby(curve: QualityCurve, shares: npt.ArrayLike) -> Lattice:
    """The envelope of the part of a quality curve around one split: there it hardly promises too much."""
    distance = np.abs(curve.lattice - np.asarray(shares)).sum(axis=1)
    splits = curve.lattice[np.sort(np.argsort(distance, kind="stable")[:NEARBY])]
    low = curve.mean_low(splits)[:, 1]
    kept = _on_top(splits, low) if len(splits) > splits.shape[1] + 1 else np.arange(len(splits))
    return Lattice(splits=splits[kept], low=low[kept], excess=0.0)


def _on_top(splits: Floats, low: Floats) -> npt.NDArray[np.int64]:
    """The splits at which the concave envelope touches; those of one model alone are always among them."""
    corners = np.flatnonzero(splits.max(axis=1) == 1.0)
    if splits.shape[1] == 1:
        return corners
    points = np.hstack([splits[:, :-1], low[:, None]])
    # A point far below makes the hull solid however flat the curve is.
    below = np.append(splits[:, :-1].mean(axis=0), low.min() - 1.0)
    hull = ConvexHull(np.vstack([points, below]))
    upper = hull.equations[:, -2] > 1e-12
    return np.unique(np.concatenate([corners, hull.simplices[upper].ravel()])).astype(np.int64)


def _excess(curve: QualityCurve, seed: int) -> float:
    """How much better a split may be than the lattice splits around it: its interval is narrower."""
    models = len(curve.models)
    if models == 1:
        return 0.0
    splits = on_simplex(qmc.Sobol(models - 1, scramble=True, rng=seed).random(CHECKED))
    corners, weights = curve.around(splits)
    low = curve.mean_low(curve.lattice)[:, 1]
    return float(max(0.0, np.max(curve.mean_low(splits)[:, 1] - np.sum(weights * low[corners], axis=1))))
