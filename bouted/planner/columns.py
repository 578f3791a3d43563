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
from bouted.planner.templates import EMPTY, Cuts, Layout, cuts, layouts

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

    The first columns keep what is `held`. `room` is the most nodes per offer. `constant` is the part of the
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
    source: Ints
    row: Ints
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
        shapes = self.sources[self.source[column]].shapes(int(self.row[column]))
        return offer, Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=shapes)


class ColumnSource:
    """Builds the columns of one problem. What depends only on a model's target factor is built once."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._problem = problem
        self._capacities = capacities
        self._wanted = tuple(rules.min_replicas for rules in problem.models)
        self._pools = pools(problem.offers, problem.models)
        self._held = held(problem.incumbent, problem.offers)
        self._offers = _with_held(problem.offers, self._held)
        self._index = {offer.id: i for i, offer in enumerate(self._offers)}
        self._room = _room(self._offers, self._held)
        self._shapes: dict[tuple[str, str], list[ReplicaShape]] = {}
        for profile in problem.profiles.profiles:
            self._shapes.setdefault((profile.shape.gpu, profile.shape.model), []).append(profile.shape)
        self._layouts: dict[tuple[str, int, int, float], tuple[Layout, ...]] = {}
        self._cuts: dict[tuple[str, int, tuple[bool, ...], tuple[float, ...]], Cuts] = {}

    def build(self, needs: Floats, factors: tuple[float, ...], *, switching: bool) -> Columns:
        """Columns for these loads (requests/s per model) and target factors.

        With `switching`, nodes of the incumbent are kept without a cost of starting, and dropping costs.
        """
        kept = self._held if switching else ()
        start = self._problem.switching.start_h / HORIZON_H if switching else 0.0
        overlap = self._problem.switching.overlap_h / HORIZON_H if switching else 0.0
        prices = np.array([float(item.offer.usd_per_hour) for item in kept])
        counts = np.array([float(item.count) for item in kept])
        usd, most, offer = [prices * (1 - overlap)], [counts], [[self._index[h.offer.id] for h in kept]]
        rates = [self._held_rates(kept, factors)]
        replicas = [self._held_replicas(kept)]
        source, row = [[-1] * len(kept)], [[-1] * len(kept)]
        sources: list[Cuts] = []
        for pool in self._pools:
            found = self._pool_cuts(pool, factors)
            if not len(found.rates):
                continue
            for each in _enough(pool, found, needs, self._wanted):
                n = len(found.rates)
                usd.append(np.full(n, float(each.usd_per_hour) * (1 + start)))
                most.append(np.full(n, self._room[self._index[each.id]]))
                rates.append(found.rates)
                replicas.append(found.replicas)
                offer.append([self._index[each.id]] * n)
                source.append([len(sources)] * n)
                row.append(list(range(n)))
            sources.append(found)
        return Columns(
            usd=np.concatenate(usd),
            most=np.concatenate(most),
            rates=np.concatenate(rates),
            replicas=np.concatenate(replicas),
            offer=np.concatenate([np.array(x, dtype=np.int64) for x in offer]),
            offers=self._offers,
            room=self._room,
            held=kept,
            sources=tuple(sources),
            source=np.concatenate([np.array(x, dtype=np.int64) for x in source]),
            row=np.concatenate([np.array(x, dtype=np.int64) for x in row]),
            constant=float(prices @ counts) * overlap,
        )

    def _pool_cuts(self, pool: Pool, factors: tuple[float, ...]) -> Cuts:
        key = (pool.gpu, pool.gpu_count, pool.allowed, factors)
        if key not in self._cuts:
            parts = [
                self._model_layouts(pool.gpu, pool.gpu_count, m, factors[m]) if allowed else (EMPTY,)
                for m, allowed in enumerate(pool.allowed)
            ]
            self._cuts[key] = cuts(parts, pool.gpu_count, self._wanted)
        return self._cuts[key]

    def _model_layouts(self, gpu: str, gpu_count: int, model: int, factor: float) -> tuple[Layout, ...]:
        key = (gpu, gpu_count, model, factor)
        if key not in self._layouts:
            shapes = self._shapes.get((gpu, self._problem.models[model].name), [])
            offered = [(shape, self._capacities.rate(shape.id, factor)) for shape in shapes]
            self._layouts[key] = layouts(offered, gpu_count, self._wanted[model])
        return self._layouts[key]

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
