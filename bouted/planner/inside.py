"""The exact half of planning: the cheapest fleet that carries a given split, and a bound on any other."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Offer
from bouted.planner.capacity import Capacities
from bouted.planner.cheapest import cheapest
from bouted.planner.columns import ColumnSource
from bouted.planner.covering import covering
from bouted.planner.held import held
from bouted.planner.limits import limits
from bouted.planner.planned import Incumbent, PlannedNode, Template
from bouted.planner.problem import PlanningProblem
from bouted.planner.spread import Loss, broken_losses

Floats = npt.NDArray[np.float64]


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

    The bound is None when switching costs were part of what was minimised. A fleet is `over_surge` when the
    incumbent cannot all run on until its new nodes serve: budget and surge together do not pay for both.
    """

    nodes: tuple[PlannedNode, ...]
    usd_per_hour: Decimal
    bound_usd_per_hour: float | None
    over_surge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TooDear:
    """No fleet within the ceiling does what was asked."""

    at_least_usd_per_hour: float


class Inside:
    """Solves asks about one problem."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities | None = None) -> None:
        self._problem = problem
        self._capacities = capacities or Capacities(problem.profiles, problem.targets)
        self._columns = ColumnSource(problem, self._capacities)
        self._held = held(problem.incumbent, problem.offers)
        self._solved: dict[Ask, Fleet | TooDear | None] = {}

    @property
    def columns(self) -> ColumnSource:
        """What fleets are made of."""
        return self._columns

    def cheapest_fleet(self, ask: Ask, ceiling: float = inf) -> Fleet | TooDear | None:
        """The cheapest fleet that does what is asked, to within the gap; None when no fleet can.

        The gap is 0.2 %, or 1 % in a large market. TooDear when the fleet is certain to cost more than
        `ceiling` $/h, which is known sooner.
        """
        found = self._solved.get(ask)
        if ask not in self._solved or (isinstance(found, TooDear) and found.at_least_usd_per_hour <= ceiling):
            found = self._solved[ask] = self._reachable(ask, ceiling)
        return found

    def _reachable(self, ask: Ask, ceiling: float) -> Fleet | TooDear | None:
        """With `switching`, a fleet that can be started beside the incumbent, if there is any."""
        if not ask.switching or not self._held:
            return self._spread(ask, ceiling, surge=False)
        found = self._spread(ask, ceiling, surge=True)
        if found is not None:
            return found
        found = self._spread(ask, ceiling, surge=False)
        return replace(found, over_surge=True) if isinstance(found, Fleet) else found

    def _spread(self, ask: Ask, ceiling: float, *, surge: bool) -> Fleet | TooDear | None:
        """Rows about losses are added only once a fleet does not stand one: few ever matter."""
        needs = self._needs(ask)
        losses: tuple[Loss, ...] = ()
        while True:
            found = self._solve(ask, needs, ceiling, losses, surge=surge)
            if not isinstance(found, Fleet):
                return found
            broken = set(self._broken(ask, needs, found)) - set(losses)
            if not broken:
                return found
            losses = tuple(sorted({*losses, *broken}))

    def _needs(self, ask: Ask) -> Floats:
        needs: Floats = np.array(ask.shares) * self._problem.workload.rate_per_s * (1 + ask.headroom)
        return needs

    def _broken(self, ask: Ask, needs: Floats, fleet: Fleet) -> tuple[Loss, ...]:
        names = [rules.name for rules in self._problem.models]
        factor = dict(zip(names, ask.factors, strict=True))
        return broken_losses(
            self._problem,
            fleet.nodes,
            dict(zip(names, needs.tolist(), strict=True)),
            lambda shape: self._capacities.rate(shape.id, factor[shape.model]),
        )

    def _solve(
        self, ask: Ask, needs: Floats, ceiling: float, losses: tuple[Loss, ...], *, surge: bool
    ) -> Fleet | TooDear | None:
        columns = self._columns.build(needs, ask.factors, switching=ask.switching, losses=losses)
        if not len(columns.usd):
            return None
        wanted = [rules.min_replicas for rules in self._problem.models]
        cover = covering(columns, needs, ask.spot_share, wanted, losses)
        limit = limits(columns, self._problem, self._held, surge=surge)
        found = cheapest(columns, cover, limit, inf if ask.switching else ceiling)
        if found is None:
            return None
        counts = found.counts
        if counts is None:
            return TooDear(at_least_usd_per_hour=found.bound_usd_per_hour)
        bought = [(*columns.bought(int(i)), int(counts[i])) for i in np.flatnonzero(counts)]
        nodes = numbered(bought, self._problem.incumbent)
        return Fleet(
            nodes=nodes,
            usd_per_hour=sum((node.usd_per_hour for node in nodes), Decimal(0)),
            bound_usd_per_hour=None if ask.switching else found.bound_usd_per_hour,
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
