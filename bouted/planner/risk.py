"""What several scenarios together make of a P95: that of all their requests, or the mean of the worst."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bouted.planner.goals import Risk, Robustness

Floats = npt.NDArray[np.float64]

LEVEL = 0.95


def over_scenarios(seconds: Sequence[Floats], odds: Floats, robustness: Robustness) -> float:
    """One P95 from the seconds of each scenario's requests. `odds` need not sum to 1.

    MEAN: 95 % of all requests stay within it, each scenario's counted by its odds, so that a rare disaster
    makes a few late requests and no more. CVAR: see `mean_of_worst`, of the scenarios' own P95.
    """
    if robustness.risk is Risk.MEAN:
        return pooled(seconds, odds)
    own = np.array([np.quantile(some, LEVEL) for some in seconds])
    return mean_of_worst(own, odds, robustness.tail)


def pooled(seconds: Sequence[Floats], odds: Floats) -> float:
    """The P95 of all these requests, those of each scenario together as heavy as its odds."""
    weights = np.concatenate(
        [np.full(len(some), part / len(some)) for some, part in zip(seconds, odds, strict=True)]
    )
    every = np.concatenate(seconds)
    order = np.argsort(every, kind="stable")
    # A request stands at the middle of its weight: with equal weights this is the usual quantile.
    at = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(LEVEL * weights.sum(), at, every[order]))


def mean_of_worst(values: Floats, odds: Floats, tail: float) -> float:
    """The mean over the worst `tail` of the odds: of 8 equal scenarios at 0.25, of the worst two.

    A scenario that lies partly in the tail counts for that part.
    """
    shares = odds / odds.sum()
    worst_first = np.argsort(-values, kind="stable")
    ends = np.minimum(np.cumsum(shares[worst_first]), tail)
    return float(np.diff(ends, prepend=0.0) / ends[-1] @ values[worst_first])
