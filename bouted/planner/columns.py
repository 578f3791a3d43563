"""What one solve chooses from: an offer with a cut, or nodes of the incumbent to keep, as rows of arrays."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from bouted.market.offers import Market, Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.capacity import Capacities
from bouted.planner.pools import Pool, pools
from bouted.planner.problem import Incumbent, PlanningProblem, Template
from bouted.planner.templates import EMPTY, Cuts, Part, cuts, layouts, part

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# What a started or dropped node costs is spread over this many hours, about as long as a price holds.
HORIZON_H = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Equal nodes of the incumbent, at the price believed now."""

    offer: Offer
    template: Template
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Per column: $/h in the objective, the most of it, what one carries (`columns x models`), its offer.

    The first columns keep what is `held`; then come those of one offer after the other, the cuts of
    `sources[k]` from column `first[k]` on. `room` is the most nodes per offer. `constant` is the part of the
    objective that no choice changes: dropping everything held.
    """

    usd: Floats
    most: Floats
    rates: Floats
    replicas: Floats
    offer: Ints
    offers: tuple[Offer, ...]
    room: Floats
    held: tuple[Held, ...]
    sources: tuple[Cuts, ...]
    first: Ints
    constant: float

    @property
    def spot(self) -> npt.NDArray[np.bool_]:
        """Which columns can be taken away."""
        return np.array([offer.market is Market.SPOT for offer in self.offers], dtype=np.bool_)[self.offer]

    def bought(self, column: int) -> tuple[Offer, Template]:
        """The offer and the cut of one column."""
        if column < len(self.held):
            return self.held[column].offer, self.held[column].template
        offer = self.offers[self.offer[column]]
        source = int(np.searchsorted(self.first, column, side="right")) - 1
        shapes = self.sources[source].shapes(column - int(self.first[source]))
        return offer, Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=shapes)


class ColumnSource:
    """Builds the columns of one problem. What depends only on a model's target factor is built once."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._problem = problem
        self._capacities = capacities
        self._wanted = tuple(rules.min_replicas for rules in problem.models)
        self._pools = pools(problem)
        self._held = held(problem.incumbent, problem.offers)
        self._offers = _with_held(problem.offers, self._held)
        self._index = {offer.id: i for i, offer in enumerate(self._offers)}
        self._room = _room(self._offers, self._held)
        self._usd = np.array([float(offer.usd_per_hour) for offer in self._offers])
        self._shapes: dict[tuple[str, str], list[ReplicaShape]] = {}
        for profile in problem.profiles.profiles:
            self._shapes.setdefault((profile.shape.gpu, profile.shape.model), []).append(profile.shape)
        self._parts: dict[tuple[str, int, int, float], Part] = {}
        self._nothing = part((EMPTY,), 0)
        self._cuts: dict[tuple[str, int, tuple[bool, ...], tuple[float, ...]], Cuts] = {}

    def build(self, needs: Floats, factors: tuple[float, ...], *, switching: bool) -> Columns:
        """Columns for these loads (requests/s per model) and target factors.

        With `switching`, nodes of the incumbent are kept without a cost of starting, which for others
        includes fetching the weights; and dropping costs.
        """
        kept = self._held if switching else ()
        start = self._problem.switching.start_h / HORIZON_H if switching else 0.0
        overlap = self._problem.switching.overlap_h / HORIZON_H if switching else 0.0
        prices = np.array([float(item.offer.usd_per_hour) for item in kept])
        counts = np.array([float(item.count) for item in kept])
        held_offers = np.array([self._index[item.offer.id] for item in kept], dtype=np.int64)
        sold = [
            (offer, found, pool.fetch_usd)
            for pool in self._pools
            if len((found := self._pool_cuts(pool, factors)).rates)
            for offer in _enough(pool, found, needs, self._wanted)
        ]
        sizes = np.array([len(found.rates) for _, found, _ in sold], dtype=np.int64)
        offers = np.repeat(np.array([self._index[offer.id] for offer, _, _ in sold], dtype=np.int64), sizes)
        usd = self._usd[offers] * (1 + start)
        if switching and any(any(pool.fetch_usd) for pool in self._pools) and sold:
            usd = (
                usd
                + np.concatenate([(found.rates > 0) @ np.array(fetch) for _, found, fetch in sold])
                / HORIZON_H
            )
        return Columns(
            usd=np.concatenate([prices * (1 - overlap), usd]),
            most=np.concatenate([counts, self._room[offers]]),
            rates=np.concatenate([self._held_rates(kept, factors), *(found.rates for _, found, _ in sold)]),
            replicas=np.concatenate([self._held_replicas(kept), *(found.replicas for _, found, _ in sold)]),
            offer=np.concatenate([held_offers, offers]),
            offers=self._offers,
            room=self._room,
            held=kept,
            sources=tuple(found for _, found, _ in sold),
            first=len(kept) + np.cumsum(sizes) - sizes,
            constant=float(prices @ counts) * overlap,
        )

    def _pool_cuts(self, pool: Pool, factors: tuple[float, ...]) -> Cuts:
        key = (pool.gpu, pool.gpu_count, pool.allowed, factors)
        if key not in self._cuts:
            parts = [
                self._part(pool.gpu, pool.gpu_count, m, factors[m]) if allowed else self._nothing
                for m, allowed in enumerate(pool.allowed)
            ]
            self._cuts[key] = cuts(parts, pool.gpu_count)
        return self._cuts[key]

    def _part(self, gpu: str, gpu_count: int, model: int, factor: float) -> Part:
        key = (gpu, gpu_count, model, factor)
        if key not in self._parts:
            shapes = self._shapes.get((gpu, self._problem.models[model].name), [])
            offered = [(shape, self._capacities.rate(shape.id, factor)) for shape in shapes]
            wanted = self._wanted[model]
            self._parts[key] = part(layouts(offered, gpu_count, wanted), wanted)
        return self._parts[key]

    def _held_rates(self, kept: Sequence[Held], factors: tuple[float, ...]) -> Floats:
        found = np.zeros((len(kept), len(factors)))
        factor_of = {rules.name: (m, factors[m]) for m, rules in enumerate(self._problem.models)}
        for i, item in enumerate(kept):
            for shape in item.template.replicas:
                m, factor = factor_of[shape.model]
                found[i, m] += self._capacities.rate(shape.id, factor)
        return found

    def _held_replicas(self, kept: Sequence[Held]) -> Floats:
        found = np.zeros((len(kept), len(self._wanted)))
        for i, item in enumerate(kept):
            counts = Counter(shape.model for shape in item.template.replicas)
            found[i] = [
                min(counts[rules.name], most)
                for rules, most in zip(self._problem.models, self._wanted, strict=True)
            ]
        return found


def held(incumbent: Incumbent | None, offers: Sequence[Offer]) -> tuple[Held, ...]:
    """The incumbent's nodes, equal ones together, at today's price where the offer is still on sale."""
    if incumbent is None:
        return ()
    today = {offer.id: offer for offer in offers}
    counts = Counter((node.offer.id, node.template) for node in incumbent.nodes)
    believed = {node.offer.id: node.offer for node in incumbent.nodes}
    found = [
        Held(offer=today.get(offer_id, believed[offer_id]), template=template, count=count)
        for (offer_id, template), count in counts.items()
    ]
    return tuple(sorted(found, key=lambda item: (item.offer.id, item.template.id)))


def _with_held(offers: Sequence[Offer], kept: Sequence[Held]) -> tuple[Offer, ...]:
    known = {offer.id: offer for offer in (*(item.offer for item in kept), *offers)}
    return tuple(known[offer_id] for offer_id in sorted(known))


def _room(offers: Sequence[Offer], kept: Sequence[Held]) -> Floats:
    """Most nodes per offer: what can be had, and always what is held."""
    counts = Counter[str]()
    for item in kept:
        counts[item.offer.id] += item.count
    return np.array([float(max(offer.obtainable, counts[offer.id])) for offer in offers])


def _enough(pool: Pool, found: Cuts, needs: Floats, wanted: Sequence[int]) -> tuple[Offer, ...]:
    """The cheapest offers of a pool, as many as could ever be used.

    Some optimum never takes more nodes of a pool than cover every model's whole need one model at a time.
    """
    most = found.rates.max(axis=0).tolist()
    nodes = sum(ceil(need / rate) for need, rate in zip(needs.tolist(), most, strict=True) if rate > 0)
    nodes += sum(wanted)
    return pool.offers[: int(np.searchsorted(pool.before, nodes))]
