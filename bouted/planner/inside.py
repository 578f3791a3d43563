"""The exact half of planning: the cheapest fleet that carries a given split, and a bound on any other."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from math import inf

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp

from bouted.market.offers import Offer
from bouted.planner.capacity import Capacities, capacities_of
from bouted.planner.columns import Columns, ColumnSource
from bouted.planner.problem import Incumbent, PlannedNode, PlanningProblem, Template
from bouted.planner.templates import beats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A solve may stop this close to its optimum; the bound says how close it was.
GAP = 0.002
NODE_LIMIT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the fleet must do. Per model: its share of queries, and how much of the latency target it may use.

    `headroom` is extra load to carry, as a share. At most `spot_share` of each model's need may lie on
    spot. With `switching`, keeping nodes of the incumbent is cheaper than starting others.
    """

    shares: tuple[float, ...]
    factors: tuple[float, ...]
    headroom: float
    spot_share: float
    switching: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The nodes found, their price, and the least $/h that any fleet for the same ask could cost.

    The bound is None when switching costs were part of what was minimised.
    """

    nodes: tuple[PlannedNode, ...]
    usd_per_hour: Decimal
    bound_usd_per_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TooDear:
    """No fleet within the ceiling does what was asked."""

    at_least_usd_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Constraints `lower <= matrix @ counts <= upper`; cover rows come first."""

    matrix: Floats
    lower: Floats
    upper: Floats


class Inside:
    """Solves asks about one problem."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities | None = None) -> None:
        self._problem = problem
        self._columns = ColumnSource(problem, capacities or capacities_of(problem))
        self._solved: dict[Ask, Fleet | TooDear | None] = {}

    @property
    def columns(self) -> ColumnSource:
        """What fleets are made of."""
        return self._columns

    def cheapest_fleet(self, ask: Ask, ceiling: float = inf) -> Fleet | TooDear | None:
        """The cheapest fleet that does what is asked, to within 0.2 %; None when no fleet can.

        TooDear when it is certain to cost more than `ceiling` $/h, which is known sooner.
        """
        found = self._solved.get(ask)
        if ask not in self._solved or (isinstance(found, TooDear) and found.at_least_usd_per_hour <= ceiling):
            found = self._solved[ask] = self._solve(ask, ceiling)
        return found

    def _solve(self, ask: Ask, ceiling: float) -> Fleet | TooDear | None:
        needs = np.array(ask.shares) * self._problem.workload.rate_per_s * (1 + ask.headroom)
        columns = self._columns.build(needs, ask.factors, switching=ask.switching)
        if not len(columns.usd):
            return None
        rows = _rows(columns, needs, ask.spot_share, [rules.min_replicas for rules in self._problem.models])
        found = _integers(columns, rows)
        if found is None:
            return None
        counts, bound = found
        if not ask.switching and bound > ceiling:
            return TooDear(at_least_usd_per_hour=bound)
        bought = [(*columns.bought(int(i)), int(counts[i])) for i in np.flatnonzero(counts)]
        nodes = numbered(bought, self._problem.incumbent)
        return Fleet(
            nodes=nodes,
            usd_per_hour=sum((node.offer.usd_per_hour for node in nodes), Decimal(0)),
            bound_usd_per_hour=None if ask.switching else bound,
        )


def numbered(
    bought: list[tuple[Offer, Template, int]], incumbent: Incumbent | None
) -> tuple[PlannedNode, ...]:
    """Planned nodes for these counts, in slot order. Places that the incumbent holds are used first."""
    taken: dict[tuple[str, str], list[int]] = defaultdict(list)
    for node in incumbent.nodes if incumbent else ():
        taken[node.offer.id, node.template.id].append(node.ordinal)
    counts = Counter[tuple[str, str]]()
    what: dict[tuple[str, str], tuple[Offer, Template]] = {}
    for offer, template, count in bought:
        counts[offer.id, template.id] += count
        what[offer.id, template.id] = (offer, template)
    nodes: list[PlannedNode] = []
    for key in sorted(counts):
        offer, template = what[key]
        held = sorted(taken[key])
        free = (n for n in range(len(held) + counts[key]) if n not in held)
        ordinals = sorted((held + list(free))[: counts[key]])
        nodes += [PlannedNode(offer=offer, template=template, ordinal=n) for n in ordinals]
    return tuple(nodes)


def _rows(columns: Columns, needs: Floats, spot_share: float, wanted: list[int]) -> _Rows:
    """Cover rows are in shares of the need, and no node counts for more than the whole of it."""
    cover: list[Floats] = []
    least: list[float] = []
    steady = np.where(columns.spot, 0.0, 1.0)
    for m in np.flatnonzero(needs > 0).tolist():
        part = columns.rates[:, m] / needs[m]
        cover.append(np.minimum(part, 1.0))
        least.append(1.0)
        if spot_share < 1:
            cover.append(np.minimum(part * steady, 1 - spot_share))
            least.append(1 - spot_share)
    for m, count in enumerate(wanted):
        if count > 1 or (count == 1 and needs[m] <= 0):
            cover.append(columns.replicas[:, m])
            least.append(float(count))
    shared = np.flatnonzero(np.bincount(columns.offer, minlength=len(columns.offers)) > 1)
    room = (columns.offer[None, :] == shared[:, None]).astype(np.float64)
    return _Rows(
        matrix=np.vstack([*cover, room]),
        lower=np.concatenate([least, np.full(len(shared), -np.inf)]),
        upper=np.concatenate([np.full(len(cover), np.inf), columns.room[shared]]),
    )


def _integers(columns: Columns, rows: _Rows) -> tuple[Ints, float] | None:
    """Counts per column, and a lower bound on the $/h of any counts at all; None when no counts will do."""
    keep = worth_having(columns, rows.matrix[np.isfinite(rows.lower)].T, _greedy(columns, rows))
    found = milp(
        columns.usd[keep],
        integrality=np.ones(len(keep)),
        bounds=Bounds(0, columns.most[keep]),
        constraints=LinearConstraint(rows.matrix[:, keep], rows.lower, rows.upper),
        options={"mip_rel_gap": GAP, "node_limit": NODE_LIMIT},
    )
    if found.x is None:
        return None
    counts = np.zeros(len(columns.usd), dtype=np.int64)
    counts[keep] = np.round(found.x).astype(np.int64)
    return _without_spares(columns, rows, counts), float(found.mip_dual_bound) + columns.constant


def worth_having(columns: Columns, covers: Floats, at_most_usd: float) -> Ints:
    """The columns of which some cheapest fleet is made, if a fleet for `at_most_usd` is known. Exact.

    A column is left out when others do as much for no more money, and are of its own offer or so many that
    all of them and itself would cost more than `at_most_usd`: then one of them is free to take its place.
    """
    held, total = len(columns.held), len(columns.usd)
    if held == total:
        return np.arange(held)
    first = columns.first - held
    beaten = beats(np.column_stack([covers, -columns.usd])[held:])
    by_offer = np.logical_or.reduceat(beaten, first, axis=0)
    own = np.searchsorted(first, np.arange(total - held), side="right") - 1
    left_out = by_offer[own, np.arange(total - held)]
    left_out |= _filled_usd(columns) @ by_offer + columns.usd[held:] > at_most_usd * (1 + 1e-9)
    return np.concatenate([np.arange(held), held + np.flatnonzero(~left_out)])


def _filled_usd(columns: Columns) -> Floats:
    """Per offer that columns are cut from, the least that all the nodes of it that can be had cost."""
    held, offers = len(columns.held), len(columns.offers)
    kept = np.bincount(columns.offer[:held], columns.most[:held], offers)
    kept_usd = np.bincount(columns.offer[:held], columns.most[:held] * columns.usd[:held], offers)
    sold = columns.offer[columns.first]
    cheapest = np.minimum.reduceat(columns.usd[held:], columns.first - held)
    filled: Floats = kept_usd[sold] + (columns.room - kept)[sold] * cheapest
    return filled


def _greedy(columns: Columns, rows: _Rows) -> float:
    """What some fleet that does it all costs; infinite when buying greedily finds none."""
    at_least = np.isfinite(rows.lower)
    covers, left = rows.matrix[at_least], rows.lower[at_least].copy()
    room, most, total = columns.room.copy(), columns.most.copy(), 0.0
    while np.any(left > 1e-9):
        use = np.minimum(covers, np.maximum(left, 0.0)[:, None]).sum(axis=0)
        use[(most < 1) | (room[columns.offer] < 1)] = 0.0
        if not use.any():
            return inf
        best = int(np.argmax(use / np.maximum(columns.usd, 1e-6)))
        left -= covers[:, best]
        most[best] -= 1
        room[columns.offer[best]] -= 1
        total += float(columns.usd[best])
    return total


def _without_spares(columns: Columns, rows: _Rows, counts: Ints) -> Ints:
    """The same counts less every paid node that is not needed, dearest first."""
    left = counts.copy()
    slack = np.where(np.isfinite(rows.lower), rows.matrix @ left - rows.lower, np.inf)
    for i in sorted(np.flatnonzero(left).tolist(), key=lambda i: (-columns.usd[i], i)):
        while left[i] and columns.usd[i] > 0 and np.all(slack >= rows.matrix[:, i] - 1e-9):
            left[i] -= 1
            slack = slack - np.where(np.isfinite(rows.lower), rows.matrix[:, i], 0.0)
    return left
