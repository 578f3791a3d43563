"""How many of each column to take: one integer programme, solved to within a gap."""

from dataclasses import dataclass, replace
from math import inf

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from bouted.planner.columns import Columns
from bouted.planner.covering import Covering
from bouted.planner.limits import Limit
from bouted.planner.programme import Programme, solve
from bouted.planner.templates import undominated

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A solve may stop this close to its optimum; the bound says how close it was. Among many columns the last
# thousandths take ten times as long as all before.
GAP = 0.002
MANY = 1000
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
    keep = worth_having(columns, cover.matrix.T)
    programme = _programme(columns, cover, limit, keep)
    if ceiling < inf:
        loose = solve(replace(programme, whole=np.zeros(len(keep), dtype=np.bool_)), gap=GAP)
        if loose is None:
            return None
        if loose.bound + columns.constant > ceiling:
            return Counts(counts=None, bound_usd_per_hour=loose.bound + columns.constant)
    found = solve(programme, gap=GAP if len(keep) <= MANY else GAP_OF_MANY)
    if found is None or found.x is None:
        return None
    bound = found.bound + columns.constant
    if bound > ceiling:
        return Counts(counts=None, bound_usd_per_hour=bound)
    counts = np.zeros(len(columns.usd), dtype=np.int64)
    counts[keep] = np.round(found.x).astype(np.int64)
    return Counts(counts=_without_spares(columns, cover, counts), bound_usd_per_hour=bound)


def _programme(columns: Columns, cover: Covering, limit: Limit, keep: Ints) -> Programme:
    return Programme(
        cost=columns.usd[keep],
        low=np.zeros(len(keep)),
        high=columns.most[keep],
        whole=np.ones(len(keep), dtype=np.bool_),
        matrix=csr_array(vstack([csr_array(cover.matrix[:, keep]), limit.matrix[:, keep]], format="csr")),
        row_low=np.concatenate([cover.least, np.full(len(limit.most), -np.inf)]),
        row_high=np.concatenate([np.full(len(cover.least), np.inf), limit.most]),
    )


def worth_having(columns: Columns, covers: Floats) -> Ints:
    """The columns of which some cheapest fleet is made. `covers` is `columns x rows`, more is better.

    A column is left out when another cut of the same offer does as much in every row, for no more money:
    that one can always take its place, under whatever limits.
    """
    held = len(columns.held)
    ends = [*columns.first.tolist()[1:], len(columns.usd)] if len(columns.first) else []
    kept = [np.arange(held)]
    for start, end in zip(columns.first.tolist(), ends, strict=True):
        values = np.column_stack([covers[start:end], -columns.usd[start:end]])
        kept.append(start + undominated(values))
    return np.concatenate(kept)


def _without_spares(columns: Columns, cover: Covering, counts: Ints) -> Ints:
    """The same counts less every paid node that is not needed, dearest first."""
    left = counts.copy()
    slack = cover.matrix @ left - cover.least
    for i in sorted(np.flatnonzero(left).tolist(), key=lambda i: (-columns.usd[i], i)):
        while left[i] and columns.usd[i] > 0 and np.all(slack >= cover.matrix[:, i] - 1e-9):
            left[i] -= 1
            slack = slack - cover.matrix[:, i]
    return left
