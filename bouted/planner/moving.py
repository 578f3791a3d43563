"""What fetching a model's weights onto a started node costs, once."""

from collections.abc import Iterable
from decimal import Decimal

from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.market.egress import Place
from bouted.market.offers import Offer
from bouted.perf.reserve import GIB
from bouted.perf.weights import weight_bytes
from bouted.planner.problem import PlannedNode, PlanningProblem


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
        """Dollars for bringing the model's weights to a node of this offer."""
        key = (model, offer.provider, offer.region, offer.zone)
        if key not in self._known:
            self._known[key] = self._price(model, offer)
        return self._known[key]

    def nodes_usd(self, nodes: Iterable[PlannedNode]) -> Decimal:
        """Dollars for starting all these nodes; a node fetches each of its models once."""
        return sum(
            (
                self.usd(model, node.offer)
                for node in nodes
                for model in sorted({shape.model for shape in node.template.replicas})
            ),
            Decimal(0),
        )

    def _price(self, model: str, offer: Offer) -> Decimal:
        weights = self._weights.get(model)
        if weights is None:
            return Decimal(0)
        target = Place(provider=offer.provider, region=offer.region, zone=offer.zone)
        return self._egress.usd_per_gib(weights.place, target) * Decimal(str(weights.gib))
