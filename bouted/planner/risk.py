"""What is made of a figure that several scenarios give: their mean, or the mean of the worst."""

import numpy as np
import numpy.typing as npt

from bouted.planner.problem import Risk, Robustness

Floats = npt.NDArray[np.float64]


def over_scenarios(seconds: Floats, odds: Floats, robustness: Robustness) -> Floats:
    """One figure per column from one row per scenario; more is worse. `odds` need not sum to 1.

    CVaR at share `tail` is the mean over the worst `tail` of the odds: of 8 equal scenarios at 0.25, of the
    worst two of that column. A scenario that lies partly in the tail counts for that part.
    """
    shares = odds / odds.sum()
    if robustness.risk is Risk.MEAN:
        return np.asarray(shares @ seconds)
    order = np.argsort(-seconds, axis=0, kind="stable")
    worst_first = np.take_along_axis(seconds, order, axis=0)
    ends = np.minimum(np.cumsum(shares[order], axis=0), robustness.tail)
    parts = np.diff(ends, axis=0, prepend=0.0) / ends[-1]
    return np.asarray((parts * worst_first).sum(axis=0))
