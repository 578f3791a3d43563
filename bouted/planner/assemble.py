"""Puts a planning problem together from what is believed now. Pure."""

from dataclasses import replace

from bouted.market.offers import Offer
from bouted.planner.plan import Plan
from bouted.planner.planned import Incumbent, ModelShare, PlannedNode
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import NodeStatus, Reason
from bouted.workload.profile import RequestLength, WorkloadProfile

LENGTH_DRIFT = 0.15
BURST_DRIFT = 0.5

_REFUSED = frozenset({Reason.NO_CAPACITY, Reason.QUOTA})


def incumbent_of(plan: Plan | None, offers: tuple[Offer, ...]) -> Incumbent | None:
    """The plan in force at today's prices; an offer no longer listed keeps its last price."""
    if plan is None:
        return None
    now = {offer.id: offer for offer in offers}
    nodes = tuple(
        PlannedNode(offer=now.get(node.offer.id, node.offer), template=node.template, ordinal=node.ordinal)
        for node in plan.design.nodes
    )
    shares = tuple(ModelShare(model=item.model, share=item.share) for item in plan.design.shares)
    return Incumbent(plan_id=plan.id, nodes=nodes, shares=shares)


def without_refused(offers: tuple[Offer, ...], fleet: FleetState) -> tuple[Offer, ...]:
    """Offers with what was refused lately taken off: no more of them than are held now.

    `fleet` remembers an hour of ended nodes, so a stock-out is forgotten after an hour.
    """
    refused = {
        node.offer.id for node in fleet.nodes if node.status is NodeStatus.FAILED and node.reason in _REFUSED
    }
    held: dict[str, int] = {}
    for node in fleet.nodes:
        if node.live:
            held[node.offer.id] = held.get(node.offer.id, 0) + 1
    return tuple(
        replace(offer, obtainable=held.get(offer.id, 0)) if offer.id in refused else offer for offer in offers
    )


def steady_mix(believed: WorkloadProfile | None, observed: WorkloadProfile) -> WorkloadProfile:
    """`observed`, with the request mix planned with before unless it really moved.

    Profiles are built for a mix of lengths and a burstiness; a new sample of the same mix must not cost
    new profiles. It moved when a mean length did by 15 %, or the coefficient of variation by 0.5.
    """
    if believed is None or not believed.lengths or not observed.lengths:
        return observed
    moved = max(
        _drift(believed.lengths, observed.lengths, "prompt_tokens"),
        _drift(believed.lengths, observed.lengths, "output_tokens"),
    )
    burstier = abs(observed.arrival_cv - believed.arrival_cv)
    if moved >= LENGTH_DRIFT or burstier >= BURST_DRIFT:
        return observed
    return replace(observed, lengths=believed.lengths, arrival_cv=believed.arrival_cv)


def _drift(before: tuple[RequestLength, ...], after: tuple[RequestLength, ...], side: str) -> float:
    old = sum(getattr(length, side) for length in before) / len(before)
    new = sum(getattr(length, side) for length in after) / len(after)
    return float(abs(new - old) / old)
