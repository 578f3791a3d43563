"""What moving costs, once: starting nodes, fetching weights, and running dropped nodes a while longer."""

from collections.abc import Iterable
from decimal import Decimal
from math import log2

import numpy as np
import numpy.typing as npt

from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.market.egress import Place
from bouted.market.offers import Offer
from bouted.perf.reserve import GIB
from bouted.perf.weights import weight_bytes
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import SwitchingCosts

Floats = npt.NDArray[np.float64]


def download_gib(model: ModelSpec, precision: Precision) -> float:
    """GiB that a node fetches before it can serve the model: all weights, in the precision served."""
    return weight_bytes(model, precision) / GIB


class Fetching:
    """Prices fetching weights in one problem. A model whose weights the problem does not name is free."""

    def __init__(self, problem: PlanningProblem) -> None:
        self._egress = problem.egress
        self._weights = {weights.model: weights for weights in problem.weights}
        self._known: dict[tuple[str, str, str, str], Decimal] = {}

    def usd(self, model: str, offer: Offer) -> Decimal:
        """Dollars for bringing the model's weights to an instance of this offer."""
        key = (model, offer.provider, offer.region, offer.zone)
        if key not in self._known:
            self._known[key] = self._price(model, offer)
        return self._known[key]

    def gib(self, model: str) -> float:
        """GiB that a started instance fetches for the model."""
        return self._weights[model].gib if model in self._weights else 0.0

    def nodes_usd(self, nodes: Iterable[PlannedNode]) -> Decimal:
        """Dollars for fetching onto all these nodes; an instance fetches each of its models once."""
        return sum(
            (
                self.usd(model, node.offer) * node.template.instances
                for node in nodes
                for model in models_on(node)
            ),
            Decimal(0),
        )

    def _price(self, model: str, offer: Offer) -> Decimal:
        weights = self._weights.get(model)
        if weights is None:
            return Decimal(0)
        target = Place(provider=offer.provider, region=offer.region, zone=offer.zone)
        return self._egress.usd_per_gib(weights.place, target) * Decimal(str(weights.gib))


def models_on(node: PlannedNode) -> tuple[str, ...]:
    """The models that the node serves, by name."""
    return tuple(sorted({shape.model for shape in node.template.replicas}))


def start_usd(node: PlannedNode, problem: PlanningProblem) -> Decimal:
    """Dollars for starting this node: its price until it serves, and bringing its weights there."""
    fetching = Fetching(problem)
    gib = sum((Decimal(str(fetching.gib(model))) for model in models_on(node)), Decimal(0))
    fetch_h = Decimal(str(problem.switching.fetch_h_per_gib)) * gib
    hours = Decimal(str(problem.switching.start_h)) + fetch_h
    return node.usd_per_hour * hours + fetching.nodes_usd((node,))


def drop_usd(node: PlannedNode, problem: PlanningProblem) -> Decimal:
    """Dollars for dropping this node: its price while it runs beside the one that takes its place."""
    return node.usd_per_hour * Decimal(str(problem.switching.overlap_h))


def starting_h(gib: Floats, switching: SwitchingCosts) -> Floats:
    """Hours that nodes cost money before they serve, if they fetch so many GiB; as `start_usd` has it."""
    return switching.start_h + switching.fetch_h_per_gib * gib


class Lives:
    """How long prices hold in one problem. What a move costs once is spread over that time."""

    def __init__(self, problem: PlanningProblem) -> None:
        self._default_h = problem.price_life_h
        self._hours = {life.offer_id: life.hours for life in problem.price_lives}

    def hours(self, offer: Offer) -> float:
        """Hours that the offer's price is expected to hold, in whole powers of two times the usual.

        Learned lives are no more exact than that, and offers alike in this may stand for each other.
        """
        hours = self._hours.get(offer.id)
        if hours is None:
            return self._default_h
        return float(self._default_h * 2.0 ** round(log2(max(hours, 1e-3) / self._default_h)))
