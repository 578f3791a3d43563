"""The hypervolume that points of three objectives dominate, exactly."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def hypervolume(points: Floats) -> float:
    """The share of the unit cube that `points` (`n x 3`, less is better, 1 is the worst acceptable) dominate.

    Points that are 1 or worse in any objective count for nothing; better than 0 counts as 0.
    """
    inside = np.clip(points[np.all(points < 1.0, axis=1)], 0.0, 1.0)
    best = non_dominated(inside)
    best = best[np.argsort(best[:, 2], kind="stable")]
    tops = np.append(best[1:, 2], 1.0) if len(best) else np.zeros(0)
    return float(sum((top - best[i, 2]) * _area(best[: i + 1, :2]) for i, top in enumerate(tops)))


def non_dominated(points: Floats) -> Floats:
    """The rows that no other row is at least as good as in everything; of equal ones the first."""
    rows = np.unique(points, axis=0)
    kept: list[int] = []
    for i in range(len(rows)):  # in lexical order: only rows before can be at least as good
        if not kept or not np.any(np.all(rows[kept] <= rows[i], axis=1)):
            kept.append(i)
    return rows[kept]


def _area(points: Floats) -> float:
    """The share of the unit square that points (`n x 2`) dominate."""
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    heights = np.minimum.accumulate(ordered[:, 1])
    widths = np.diff(np.append(ordered[:, 0], 1.0))
    return float(widths @ (1.0 - heights))
