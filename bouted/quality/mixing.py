"""Where routing by two or more rules in turn beats one: the mean quality of splits made concave.

Where the curve sags below a chord, sending part of the queries by the rule at one end of the chord and part
by the other's attains the chord. Noise makes small sags everywhere, so a mix must gain enough, and surely.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

LEAST_GAIN = 0.002
# Standard deviations over the resamples. High, because the ends of a chord are the luckiest splits of many.
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
    found: dict[int, Mix] = {}
    for at in np.flatnonzero(gains > LEAST_GAIN):
        touching = facets[heights[at] <= heights[at].min() + _FLAT]
        mix = _mix(splits, splits[at], touching)
        spread = float(np.std(mix.weights @ samples[mix.splits] - samples[at]))
        if gains[at] > SURE * spread:
            found[int(at)] = mix
    return found


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


def _mix(splits: Floats, wanted: Floats, facets: Ints) -> Mix:
    """The corners of the facet that holds the split, of those in one plane."""
    weights = np.linalg.lstsq(splits[facets[0]].T, wanted, rcond=None)[0]
    best = facets[0]
    for facet in facets[1:]:
        if weights.min() >= -_FLAT:
            break
        other = np.linalg.lstsq(splits[facet].T, wanted, rcond=None)[0]
        if other.min() > weights.min():
            best, weights = facet, other
    kept = weights > _FLAT
    return Mix(splits=best[kept], weights=weights[kept] / weights[kept].sum())
