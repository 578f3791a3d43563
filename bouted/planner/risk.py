"""What is made of a figure that several scenarios give: their mean, or the mean of the worst."""

import numpy as np
import numpy.typing as npt

from bouted.planner.problem import Risk, Robustness

Floats = npt.NDArray[np.float64]


def over_scenarios(seconds: Floats, robustness: Robustness) -> Floats:
    """One figure per column from one row per scenario, all of equal odds; more is worse.

    CVaR at share `tail` is the mean of the worst `tail` of the odds: of 8 scenarios at 0.25, of the worst
    two of that column. A scenario that lies half in the tail counts half; of a tail smaller than one
    scenario, the worst one is taken.
    """
    if robustness.risk is Risk.MEAN:
        return np.asarray(seconds.mean(axis=0))
    worst_first = -np.sort(-seconds, axis=0)
    in_tail = max(robustness.tail * len(seconds), 1.0)
    parts = np.clip(in_tail - np.arange(len(seconds)), 0.0, 1.0) / in_tail
    return np.asarray(parts @ worst_first)
