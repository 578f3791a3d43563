"""Where routing by two or more rules in turn beats one: the mean quality of splits made concave.

Where the curve sags below a chord, sending part of the queries by the rule at one end of the chord and part
by the other's attains the chord. Noise makes small sags everywhere, so a mix must gain enough, and surely.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

# What a mix must gain somewhere on its chord, and that in standard deviations over the resamples: many,
# because the ends of a chord are the luckiest splits of many.
LEAST_GAIN = 0.002
SURE = 3.0
_FLAT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mix:
    """Rules of these splits in place of the rule of one: their places and weights, which sum to 1."""

    splits: Ints
    weights: Floats


def mixes(splits: Floats, mean: Floats, samples: Floats) -> dict[int, Mix]:
    """The places in `splits` (`n x M`) where a mix of others wins, with the mix.

    `mean` is the quality of each split, `samples` (`n x R`) that in bootstrap resamples.
    """
    if splits.shape[1] < 2:
        return {}
    facets, planes = _upper_hull(splits, mean)
    heights = splits[:, :-1] @ planes[:, :-1].T + planes[:, -1]
    gains = heights.min(axis=1) - mean
    below: dict[frozenset[int], dict[int, Mix]] = defaultdict(dict)
    for at in np.flatnonzero(gains > _FLAT):
        facet, mix = _mix(splits, splits[at], facets[heights[at] <= heights[at].min() + _FLAT])
        below[facet][int(at)] = mix
    won = (of for of in below.values() if any(_sure(gains[at], at, mix, samples) for at, mix in of.items()))
    return {at: mix for of in won for at, mix in of.items()}


def _sure(gain: float, at: int, mix: Mix, samples: Floats) -> bool:
    if gain <= LEAST_GAIN:
        return False
    return gain > SURE * float(np.std(mix.weights @ samples[mix.splits] - samples[at]))


def _upper_hull(splits: Floats, mean: Floats) -> tuple[Ints, Floats]:
    """Facets of the least concave function above `mean`: `M` places each, and their planes."""
    # The daemon asks for the rules of a plan, and starts without scipy.
    from scipy.spatial import ConvexHull

    points = np.column_stack([splits[:, :-1], mean])
    below = np.append(points[:, :-1].mean(axis=0), mean.min() - 1.0)
    hull = ConvexHull(np.vstack([points, below]), qhull_options="Qt")
    normal, offset = hull.equations[:, :-1], hull.equations[:, -1]
    upper = (normal[:, -1] > _FLAT) & (hull.simplices < len(points)).all(axis=1)
    planes = -np.column_stack([normal[upper, :-1], offset[upper]]) / normal[upper, -1:]
    return hull.simplices[upper].astype(np.intp), planes


def _mix(splits: Floats, wanted: Floats, facets: Ints) -> tuple[frozenset[int], Mix]:
    """The facet that holds the split, of those in one plane, and the split as a mix of its corners."""
    weights = np.linalg.lstsq(splits[facets[0]].T, wanted, rcond=None)[0]
    best = facets[0]
    for facet in facets[1:]:
        if weights.min() >= -_FLAT:
            break
        other = np.linalg.lstsq(splits[facet].T, wanted, rcond=None)[0]
        if other.min() > weights.min():
            best, weights = facet, other
    kept = weights > _FLAT
    mix = Mix(splits=best[kept], weights=weights[kept] / weights[kept].sum())
    return frozenset(best.tolist()), mix
