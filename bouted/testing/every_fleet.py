"""Every fleet of a tiny problem, one by one: what an exact search must not be worse than. For tests."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations_with_replacement, product

from bouted.market.offers import Market, Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.inside import Ask
from bouted.planner.moving import Lives, drop_usd, start_usd
from bouted.planner.planned import PlannedNode, Template
from bouted.planner.pools import may_run
from bouted.planner.problem import PlanningProblem

Counts = Counter[tuple[str, Template]]


class EveryFleet:
    """The fleets of `problem`, where one replica of each shape carries `rates` requests/s at any factor."""

    def __init__(self, problem: PlanningProblem, rates: dict[ReplicaShape, float]) -> None:
        self.problem = problem
        self.rates = rates

    def __repr__(self) -> str:
        """What a test shows of a world that failed."""
        p = self.problem
        sold = [(o.id, o.gpu_count, str(o.usd_per_hour), o.obtainable) for o in p.offers]
        running = [node.slot for node in self._running()]
        rates = {shape.id: rate for shape, rate in self.rates.items()}
        parts = (sold, running, rates, p.models, p.workload.rate_per_s, p.spot, p.quotas, p.switching)
        return "\n".join(map(str, (*parts, p.price_lives, p.groups, p.budget)))

    def cheapest(self, ask: Ask, *, surge: bool) -> float | None:
        """The least objective of all fleets that do what is asked; None if none does."""
        fitting = (nodes for nodes in self.fleets() if self.does(nodes, ask, surge=surge))
        return min((self.objective(nodes, switching=ask.switching) for nodes in fitting), default=None)

    def fleets(self) -> Iterator[tuple[PlannedNode, ...]]:
        """Every multiset of nodes that can be had."""
        held = self._held()
        offers = {o.id: o for o in (*(n.offer for n in self._running()), *self.problem.offers)}
        for chosen in product(*(self._of(offers[id_], held) for id_ in sorted(offers))):
            yield tuple(node for nodes in chosen for node in nodes)

    def does(self, nodes: tuple[PlannedNode, ...], ask: Ask, *, surge: bool) -> bool:
        """Whether these nodes carry what is asked and keep every rule."""
        return (
            self._carries(nodes, ask)
            and all(self._stands(nodes, ask, lost, left) for lost, left in self._losses(nodes, ask))
            and self._within_quotas(nodes)
            and (not surge or self._within_surge(nodes))
        )

    def objective(self, nodes: tuple[PlannedNode, ...], *, switching: bool) -> float:
        """$/h, with what moving costs spread over the lives of prices if `switching`."""
        usd = sum(float(node.usd_per_hour) for node in nodes)
        if not switching:
            return usd
        lives, now = Lives(self.problem), self._held()
        wanted = Counter((node.offer.id, node.template) for node in nodes)
        some = {(n.offer.id, n.template): n for n in (*self._running(), *nodes)}
        for key, node in some.items():
            started, dropped = max(0, wanted[key] - now[key]), max(0, now[key] - wanted[key])
            once = started * start_usd(node, self.problem) + dropped * drop_usd(node, self.problem)
            usd += float(once) / lives.hours(node.offer)
        return usd

    def _of(self, offer: Offer, held: Counts) -> list[tuple[PlannedNode, ...]]:
        kept = sum(n * template.instances for (id_, template), n in held.items() if id_ == offer.id)
        room = max(offer.obtainable, kept)
        staying = (t for id_, t in held if id_ == offer.id and self._allows(offer, t))
        cuts = sorted({*self._cuts(offer), *staying}, key=lambda t: t.id)
        found: list[tuple[PlannedNode, ...]] = []
        for n in range(room + 1):
            for chosen in combinations_with_replacement(cuts, n):
                counts = Counter(chosen)
                fresh = {t: c - held[offer.id, t] for t, c in counts.items()}
                sold = offer in self.problem.offers and offer.obtainable > 0
                if sum(t.instances for t in chosen) <= room and (sold or all(c <= 0 for c in fresh.values())):
                    found.append(tuple(PlannedNode(offer=offer, template=t, ordinal=0) for t in chosen))
        return found

    def _allows(self, offer: Offer, template: Template) -> bool:
        allowed = {rules.name for rules in self.problem.models if may_run(rules, offer)}
        return all(shape.model in allowed and shape in self.rates for shape in template.replicas)

    def _cuts(self, offer: Offer) -> Iterator[Template]:
        allowed = {rules.name for rules in self.problem.models if may_run(rules, offer)}
        shapes = [s for s in self.rates if s.gpu == offer.gpu and s.model in allowed]
        for n in range(1, offer.gpu_count + 1):
            for chosen in combinations_with_replacement(sorted(s for s in shapes if s.instances == 1), n):
                if sum(shape.gpu_count for shape in chosen) <= offer.gpu_count:
                    yield Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=chosen)
        for shape in shapes:
            fills = shape.gpu_count == shape.instances * offer.gpu_count
            if 1 < shape.instances <= self.problem.groups and fills:
                yield Template(
                    gpu=offer.gpu,
                    gpu_count=offer.gpu_count,
                    replicas=(shape,),
                    instances=shape.instances,
                )

    def _carried(self, nodes: tuple[PlannedNode, ...]) -> Counter[str]:
        found = Counter[str]()
        for node in nodes:
            for shape in node.template.replicas:
                found[shape.model] += self.rates[shape]  # type: ignore[assignment]
        return found

    def _needs(self, ask: Ask) -> dict[str, float]:
        rate = self.problem.workload.rate_per_s * (1 + ask.headroom)
        names = (rules.name for rules in self.problem.models)
        return {name: share * rate for name, share in zip(names, ask.shares, strict=True)}

    def _carries(self, nodes: tuple[PlannedNode, ...], ask: Ask) -> bool:
        replicas = Counter(shape.model for node in nodes for shape in node.template.replicas)
        enough = all(replicas[rules.name] >= rules.min_replicas for rules in self.problem.models)
        return enough and self._stands(nodes, ask, frozenset(), 1.0)

    def _losses(
        self, nodes: tuple[PlannedNode, ...], ask: Ask
    ) -> Iterator[tuple[frozenset[PlannedNode], float]]:
        """Spot nodes that go together, and the share of each need that must remain."""
        spot = [node for node in nodes if node.offer.market is Market.SPOT]
        rules = self.problem.spot
        yield frozenset(spot), 1 - ask.spot_share
        for offer_id in {node.offer.id for node in spot}:
            yield frozenset(n for n in spot if n.offer.id == offer_id), 1 - rules.pool_max_share
        for zone in {_zone(node.offer) for node in spot}:
            yield frozenset(n for n in spot if _zone(n.offer) == zone), 1 - rules.zone_max_share

    def _stands(
        self, nodes: tuple[PlannedNode, ...], ask: Ask, lost: frozenset[PlannedNode], left: float
    ) -> bool:
        carried = self._carried(tuple(node for node in nodes if node not in lost))
        return all(carried[m] >= left * need - 1e-7 for m, need in self._needs(ask).items())

    def _within_quotas(self, nodes: tuple[PlannedNode, ...]) -> bool:
        for quota in self.problem.quotas:
            used, running = (
                sum(n.offer.gpu_count * n.template.instances for n in some if quota.covers(n.offer))
                for some in (nodes, self._running())
            )
            if used > max(quota.gpus, running):
                return False
        return True

    def _within_surge(self, nodes: tuple[PlannedNode, ...]) -> bool:
        fresh = Counter((n.offer.id, n.template) for n in nodes) - self._held()
        price = {node.offer.id: node.offer.usd_per_hour for node in nodes}
        started = sum((price[id_] * t.instances * n for (id_, t), n in fresh.items()), Decimal(0))
        paid = sum((node.usd_per_hour for node in self._running()), Decimal(0))
        budget = self.problem.budget
        return started <= max(Decimal(0), budget.usd_per_hour + budget.surge_usd_per_hour - paid)

    def _running(self) -> tuple[PlannedNode, ...]:
        return self.problem.incumbent.nodes if self.problem.incumbent else ()

    def _held(self) -> Counts:
        return Counter((node.offer.id, node.template) for node in self._running())


def _zone(offer: Offer) -> tuple[str, str]:
    return offer.provider, offer.zone or offer.region
