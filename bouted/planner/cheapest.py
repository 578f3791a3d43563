"""How many of each column to take: one integer programme, solved to within a gap."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import numpy.typing as npt

from bouted.planner.columns import Columns
from bouted.planner.covering import Covering
from bouted.planner.limits import Limit
from bouted.planner.pooling import pooled
from bouted.planner.programme import solve

Ints = npt.NDArray[np.int64]

# A solve may stop this close to its optimum; the bound says how close it was. Among many columns the last
# thousandths take ten times as long as all before.
GAP = 0.002
MANY = 400
GAP_OF_MANY = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """How many of each column, and what no counts at all cost less than.

    `counts` is None when that is above the ceiling.
    """

    counts: Ints | None
    bound_usd_per_hour: float


def cheapest(columns: Columns, cover: Covering, limit: Limit, ceiling: float) -> Counts | None:
    """The cheapest counts, to within the gap, of no more than `ceiling` $/h; None when none will do."""
    pool = pooled(columns, cover, limit)
    programme = pool.programme
    if ceiling < inf:
        loose = solve(replace(programme, whole=np.zeros_like(programme.whole)), gap=GAP)
        if loose is None:
            return None
        if loose.bound + columns.constant > ceiling:
            return Counts(counts=None, bound_usd_per_hour=loose.bound + columns.constant)
    found = solve(programme, gap=GAP if programme.whole.sum() <= MANY else GAP_OF_MANY)
    if found is None or found.x is None:
        return None
    bound = found.bound + columns.constant
    if bound > ceiling:
        return Counts(counts=None, bound_usd_per_hour=bound)
    counts = pool.counts(found.x, columns)
    return Counts(counts=_without_spares(columns, cover, counts), bound_usd_per_hour=bound)


def _without_spares(columns: Columns, cover: Covering, counts: Ints) -> Ints:
    """The same counts less every paid node that is not needed, dearest first."""
    left = counts.copy()
    slack = cover.matrix @ left - cover.least
    for i in sorted(np.flatnonzero(left).tolist(), key=lambda i: (-columns.usd[i], i)):
        while left[i] and columns.usd[i] > 0 and np.all(slack >= cover.matrix[:, i] - 1e-9):
            left[i] -= 1
            slack = slack - cover.matrix[:, i]
    return left
