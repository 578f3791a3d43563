"""The integer programme over columns, with offers that differ only in price taken together.

Within a pool it does not matter on which offer a cut stands. So cuts are counted once per pool and instances
once per offer, where a column for each pair would be as many times more.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_array, csr_array, vstack

from bouted.planner.columns import Columns
from bouted.planner.covering import Covering
from bouted.planner.limits import Limit
from bouted.planner.programme import Programme
from bouted.planner.templates import undominated

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alike:
    """Offers of one pool, `size` columns each: the first column of each, and the first one's cuts worth
    having."""

    offers: Ints
    cuts: Ints
    size: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooled:
    """A programme whose variables are `plain` columns, then per pool the cuts, then per pool the instances
    of each offer. Only the last are no whole numbers: nothing is gained by a part of an instance."""

    programme: Programme
    plain: Ints
    pools: tuple[Alike, ...]

    def counts(self, x: Floats, columns: Columns) -> Ints:
        """Counts per column; within a pool the cheapest offers are filled first."""
        found = np.zeros(len(columns.usd), dtype=np.int64)
        found[self.plain] = np.round(x[: len(self.plain)])
        used = np.bincount(columns.offer, found * columns.takes, len(columns.offers))
        at = len(self.plain)
        for pool in self.pools:
            chosen = np.repeat(pool.cuts, np.round(x[at : at + len(pool.cuts)]).astype(np.int64))
            at += len(pool.cuts)
            offers = pool.offers[np.argsort(columns.usd[pool.offers], kind="stable")]
            where = columns.offer[offers]
            places = np.repeat(offers, (columns.room[where] - used[where]).astype(np.int64))
            np.add.at(found, places[: len(chosen)] + chosen - pool.offers[0], 1)
        return found


def pooled(columns: Columns, cover: Covering, limit: Limit) -> Pooled:
    """The programme for the least `columns.usd`, without columns that others make needless."""
    kept = worth_having(columns, cover.matrix.T)
    pools = _alike(columns, kept)
    merged = np.zeros(len(columns.usd), dtype=np.bool_)
    for pool in pools:
        merged[pool.offers[:, None] + np.arange(pool.size)] = True
    plain = kept[~merged[kept]]
    cuts = np.concatenate([plain[:0], *(pool.cuts for pool in pools)])
    offers = np.concatenate([plain[:0], *(pool.offers for pool in pools)])
    programme = Programme(
        cost=np.concatenate([columns.usd[plain], _dearer(columns, pools), columns.usd[offers]]),
        low=np.zeros(len(plain) + len(cuts) + len(offers)),
        high=np.concatenate([columns.most[plain], _several(columns, pools), columns.most[offers]]),
        whole=np.arange(len(plain) + len(cuts) + len(offers)) < len(plain) + len(cuts),
        matrix=_matrix(cover, limit, plain, cuts, offers, pools),
        row_low=np.concatenate([cover.least, np.full(len(limit.most) + len(pools), -np.inf)]),
        row_high=np.concatenate([np.full(len(cover.least), np.inf), limit.most, np.zeros(len(pools))]),
    )
    return Pooled(programme=programme, plain=plain, pools=pools)


def worth_having(columns: Columns, covers: Floats) -> Ints:
    """The columns of which some cheapest fleet is made. `covers` is `columns x rows`, more is better.

    A column is left out when another cut of the same offer does as much in every row, for no more money:
    that one can always take its place, under whatever limits.
    """
    kept = [np.arange(len(columns.held))]
    for start, cuts in zip(columns.first.tolist(), columns.sources, strict=True):
        end = start + len(cuts.rates)
        values = np.column_stack([covers[start:end], -columns.usd[start:end]])
        kept.append(start + undominated(values))
    return np.concatenate(kept)


def _alike(columns: Columns, kept: Ints) -> tuple[Alike, ...]:
    """Pools of several offers, where what one cut costs more than another is the same on all of them."""
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for source, cuts in enumerate(columns.sources):
        members[int(columns.pool[source]), cuts.instances].append(source)
    found: list[Alike] = []
    for (_, instances), sources in members.items():
        firsts = columns.first[sources]
        size = len(columns.sources[sources[0]].rates)
        usd = columns.usd[firsts[:, None] + np.arange(size)]
        alike = np.allclose(usd - usd[:, :1], usd[0] - usd[0, 0], rtol=0.0, atol=1e-9)
        if instances == 1 and len(sources) > 1 and size > 1 and alike:
            start = int(firsts[0])
            useful = kept[(kept >= start) & (kept < start + size)]
            found.append(Alike(offers=firsts, cuts=useful, size=size))
    return tuple(found)


def _dearer(columns: Columns, pools: tuple[Alike, ...]) -> Floats:
    """What each cut of each pool costs more than the first, whose price is that of the instance."""
    none = columns.usd[:0]
    return np.concatenate([none, *(columns.usd[p.cuts] - columns.usd[p.offers[0]] for p in pools)])


def _several(columns: Columns, pools: tuple[Alike, ...]) -> Floats:
    """How many of each cut of each pool there can be."""
    none = columns.usd[:0]
    return np.concatenate([none, *(np.full(len(p.cuts), columns.most[p.offers].sum()) for p in pools)])


def _matrix(
    cover: Covering, limit: Limit, plain: Ints, cuts: Ints, offers: Ints, pools: tuple[Alike, ...]
) -> csr_array:
    """Cuts cover, instances are limited, and there are no more cuts than instances to stand on."""
    covering, limited = csr_array(cover.matrix[:, plain]), limit.matrix[:, plain]
    if not pools:
        return csr_array(vstack([covering, limited], format="csr"))
    rows = [
        [covering, csr_array(cover.matrix[:, cuts]), None],
        [limited, None, limit.matrix[:, offers]],
        [None, _one_each([len(pool.cuts) for pool in pools]), -_one_each([len(p.offers) for p in pools])],
    ]
    return csr_array(block_array(rows, format="csr"))


def _one_each(sizes: list[int]) -> csr_array:
    """Row k is 1 at the places of the k-th of these runs."""
    entries = (np.repeat(np.arange(len(sizes)), sizes), np.arange(sum(sizes)))
    return csr_array((np.ones(sum(sizes)), entries), shape=(len(sizes), sum(sizes)))
