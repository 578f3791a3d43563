"""What one solve chooses from: an offer with a cut, or nodes of the incumbent to keep, as rows of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Market, Offer
from bouted.planner.capacity import Capacities
from bouted.planner.cutting import Cutting
from bouted.planner.held import Held, held, held_instances, with_held
from bouted.planner.moving import Fetching, Lives, drop_usd, starting_h
from bouted.planner.planned import Template
from bouted.planner.pools import Pool, may_run, pools
from bouted.planner.problem import PlanningProblem
from bouted.planner.spread import Loss
from bouted.planner.templates import Cuts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Per column: $/h in the objective, the most of it, what one carries (`columns x models`), its offer,
    and how many instances of that it takes.

    The first columns keep what is `held`; then come those of one offer after the other, the cuts of
    `sources[k]` from column `first[k]` on. Offers of sources with one number in `pool` differ only in
    price. `room` is the most instances per offer. `constant` is the part of
    the objective that no choice changes: dropping everything that may stay.
    """

    usd: Floats
    most: Floats
    rates: Floats
    replicas: Floats
    offer: Ints
    takes: Floats
    offers: tuple[Offer, ...]
    room: Floats
    held: tuple[Held, ...]
    sources: tuple[Cuts, ...]
    first: Ints
    pool: Ints
    constant: float

    @property
    def spot(self) -> npt.NDArray[np.bool_]:
        """Which columns can be taken away."""
        return np.array([offer.market is Market.SPOT for offer in self.offers], dtype=np.bool_)[self.offer]

    @property
    def price(self) -> Floats:
        """What one of each column costs, in $/h, whatever it took to start it."""
        return np.array([float(offer.usd_per_hour) for offer in self.offers])[self.offer] * self.takes

    def bought(self, column: int) -> tuple[Offer, Template]:
        """The offer and the cut of one column."""
        if column < len(self.held):
            return self.held[column].offer, self.held[column].template
        offer = self.offers[self.offer[column]]
        source = int(np.searchsorted(self.first, column, side="right")) - 1
        cuts = self.sources[source]
        return offer, Template(
            gpu=offer.gpu,
            gpu_count=offer.gpu_count,
            replicas=cuts.shapes(column - int(self.first[source])),
            instances=cuts.instances,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sold:
    """The cuts of one offer, its pool's number, and what starting each costs an hour over its life."""

    pool: int
    offer: Offer
    cuts: Cuts
    start_usd_per_hour: Floats


class ColumnSource:
    """Builds the columns of one problem."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._problem = problem
        self._cutting = Cutting(problem, capacities)
        self._wanted = sum(rules.min_replicas for rules in problem.models)
        fetching = Fetching(problem)
        self._gib = np.array([fetching.gib(rules.name) for rules in problem.models])
        self._lives = Lives(problem)
        self._held = held(problem.incumbent, problem.offers)
        self._kept = tuple(item for item in self._held if self._may_stay(item))
        self._taken = held_instances(self._held)
        self._offers = with_held(problem.offers, self._held)
        self._index = {offer.id: i for i, offer in enumerate(self._offers)}
        self._room = np.array([float(max(o.obtainable, self._taken[o.id])) for o in self._offers])
        self._usd = np.array([float(offer.usd_per_hour) for offer in self._offers])
        self._pools: dict[tuple[bool, tuple[Loss, ...]], tuple[Pool, ...]] = {}

    def build(
        self, needs: Floats, factors: tuple[float, ...], *, switching: bool, losses: tuple[Loss, ...] = ()
    ) -> Columns:
        """Columns for these loads (requests/s per model) and target factors.

        With `switching`, nodes of the incumbent are kept without a cost of starting, which for others
        includes fetching the weights; and dropping costs. `losses` are those that rows will be about.
        """
        kept = self._kept
        sold = self._sold(needs, factors, switching, losses)
        started = [item.start_usd_per_hour for item in sold]
        sizes = np.array([len(item.cuts.rates) for item in sold], dtype=np.int64)
        offers = np.repeat(np.array([self._index[item.offer.id] for item in sold], dtype=np.int64), sizes)
        takes = np.repeat(np.array([float(item.cuts.instances) for item in sold]), sizes)
        drop = np.array([self._dropping(item) if switching else 0.0 for item in kept])
        held_usd = np.array([float(item.node.usd_per_hour) for item in kept])
        counts = np.array([float(item.count) for item in kept])
        rates = [self._cutting.rates(item.template, factors)[None] for item in kept]
        replicas = [self._cutting.replicas(item.template)[None] for item in kept]
        none = np.zeros((0, len(factors)))
        return Columns(
            usd=np.concatenate(
                [held_usd - drop, self._usd[offers] * takes + np.concatenate([none[:, 0], *started])]
            ),
            most=np.concatenate([counts, np.floor(self._room[offers] / takes)]),
            rates=np.concatenate([none, *rates, *(item.cuts.rates for item in sold)]),
            replicas=np.concatenate([none, *replicas, *(item.cuts.replicas for item in sold)]),
            offer=np.concatenate(
                [np.array([self._index[item.offer.id] for item in kept], dtype=np.int64), offers]
            ),
            takes=np.concatenate([np.array([float(item.template.instances) for item in kept]), takes]),
            offers=self._offers,
            room=self._room,
            held=kept,
            sources=tuple(item.cuts for item in sold),
            first=len(kept) + np.cumsum(sizes) - sizes,
            pool=np.array([item.pool for item in sold], dtype=np.int64),
            constant=float(drop @ counts),
        )

    def _sold(
        self, needs: Floats, factors: tuple[float, ...], switching: bool, losses: tuple[Loss, ...]
    ) -> list[_Sold]:
        return [
            _Sold(
                pool=number,
                offer=offer,
                cuts=cuts,
                start_usd_per_hour=self._starting(pool, offer, cuts, switching),
            )
            for number, pool in enumerate(self._pools_for(switching, losses))
            if (found := self._cutting.of(pool, factors))
            for offer in self._enough(pool, found, needs)
            for cuts in found
            if cuts.instances <= self._room[self._index[offer.id]]
        ]

    def _pools_for(self, switching: bool, losses: tuple[Loss, ...]) -> tuple[Pool, ...]:
        key = (switching, losses)
        if key not in self._pools:
            self._pools[key] = pools(self._problem, by_life=switching, losses=losses)
        return self._pools[key]

    def _may_stay(self, item: Held) -> bool:
        """Whether the plan may keep such nodes: every model on them is still wanted and allowed there."""
        rules = {each.name: each for each in self._problem.models}
        return all(
            shape.model in rules and may_run(rules[shape.model], item.offer) and self._cutting.knows(shape)
            for shape in item.template.replicas
        )

    def _dropping(self, item: Held) -> float:
        return float(drop_usd(item.node, self._problem)) / self._lives.hours(item.offer)

    def _starting(self, pool: Pool, offer: Offer, cuts: Cuts, switching: bool) -> Floats:
        """As `moving.start_usd` of a node with each cut, over the life of its price."""
        if not switching:
            return np.zeros(len(cuts.rates))
        served = (cuts.rates > 0).astype(np.float64)
        hours = starting_h(served @ self._gib, self._problem.switching)
        once = float(offer.usd_per_hour) * hours + served @ np.array(pool.fetch_usd)
        dollars: Floats = once * cuts.instances / self._lives.hours(offer)
        return dollars

    def _enough(self, pool: Pool, found: Sequence[Cuts], needs: Floats) -> tuple[Offer, ...]:
        """The cheapest offers of a pool, as many as could ever be used.

        Some optimum never takes more nodes of a pool than cover every model's whole need one model at a
        time, beside what is held there. Groups may leave single instances of an offer over.
        """
        if len(found) > 1 or found[0].instances > 1:
            return pool.offers
        most = found[0].rates.max(axis=0).tolist()
        nodes = sum(ceil(need / rate) for need, rate in zip(needs.tolist(), most, strict=True) if rate > 0)
        nodes += self._wanted + sum(self._taken[offer.id] for offer in pool.offers)
        return pool.offers[: int(np.searchsorted(pool.before, nodes))]
