"""Spot capacity is lost together: all of one pool, or of one zone. What must be left of each model then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bouted.market.offers import Market, Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.design import Design
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem

# Broken when one loss takes too much of a model.
POOL = "spot_pool_max_share"
ZONE = "spot_zone_max_share"

RateOf = Callable[[ReplicaShape], float]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Loss:
    """All spot nodes of one pool (an offer), or of one zone, gone at once. `left` is the share of each
    model's need that must remain."""

    rule: str
    place: tuple[str, ...]
    left: float

    def takes(self, offer: Offer) -> bool:
        """Whether nodes of the offer go."""
        return offer.market is Market.SPOT and self.place == _place(self.rule, offer)


def losses_of(problem: PlanningProblem, offers: Sequence[Offer]) -> tuple[Loss, ...]:
    """The losses to be ready for, if nodes of these offers run; sorted, pools first."""
    shares = {POOL: problem.spot.pool_max_share, ZONE: problem.spot.zone_max_share}
    return tuple(
        sorted(
            {
                Loss(rule=rule, place=_place(rule, offer), left=1 - share)
                for rule, share in shares.items()
                if share < 1
                for offer in offers
                if offer.market is Market.SPOT
            }
        )
    )


def broken_losses(
    problem: PlanningProblem, nodes: Sequence[PlannedNode], needs: Mapping[str, float], rate_of: RateOf
) -> tuple[Loss, ...]:
    """The losses after which these nodes carry too little of some model's need (requests/s)."""
    carried = [(node.offer, _carried(node, rate_of)) for node in nodes]
    found: list[Loss] = []
    for loss in losses_of(problem, [node.offer for node in nodes]):
        left = [rates for offer, rates in carried if not loss.takes(offer)]
        if any(
            sum(rates.get(model, 0.0) for rates in left) < loss.left * need * (1 - 1e-6)
            for model, need in needs.items()
        ):
            found.append(loss)
    return tuple(found)


def spread_broken(problem: PlanningProblem, design: Design, rate_of: RateOf) -> tuple[str, ...]:
    """The names of the rules of spread that a design breaks: POOL, ZONE, both or none.

    `rate_of` says what one replica of a shape carries, in requests/s.
    """
    needs = {item.model: item.share * problem.workload.rate_per_s for item in design.shares}
    broken = broken_losses(problem, design.nodes, needs, rate_of)
    return tuple(sorted({loss.rule for loss in broken}))


def _place(rule: str, offer: Offer) -> tuple[str, ...]:
    return (offer.id,) if rule == POOL else (offer.provider, offer.zone or offer.region)


def _carried(node: PlannedNode, rate_of: RateOf) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for shape in node.template.replicas:
        found[shape.model] = found.get(shape.model, 0.0) + rate_of(shape)
    return found
