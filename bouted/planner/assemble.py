"""Puts a planning problem together from what is believed now. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from bouted.market.offers import Offer
from bouted.planner.plan import Plan
from bouted.planner.planned import Incumbent, ModelShare, PlannedNode
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.refusals import not_to_be_had
from bouted.reconcile.states import NodeStatus
from bouted.workload.profile import RequestLength, WorkloadProfile

LENGTH_DRIFT = 0.15
BURST_DRIFT = 0.5

_ASKED_FOR = frozenset({NodeStatus.PLANNED, NodeStatus.LAUNCHING})


def incumbent_of(
    plan: Plan | None, offers: tuple[Offer, ...], fleet: FleetState, *, anyway: bool = False
) -> Incumbent | None:
    """The plan in force at today's prices; an offer no longer listed keeps its last price.

    What it wants and was refused lately is left out: it cannot be held to what is not there. `anyway` as in
    `without_refused`.
    """
    if plan is None:
        return None
    now = {offer.id: offer for offer in offers}
    wanted = (node.offer for node in plan.design.nodes)
    left = Counter(_held_of_refused(fleet, wanted, anyway))
    nodes = []
    for node in plan.design.nodes:
        if node.offer.id in left:
            left[node.offer.id] -= 1
            if left[node.offer.id] < 0:
                continue
        offer = now.get(node.offer.id, node.offer)
        nodes.append(PlannedNode(offer=offer, template=node.template, ordinal=node.ordinal))
    shares = tuple(ModelShare(model=item.model, share=item.share) for item in plan.design.shares)
    return Incumbent(plan_id=plan.id, nodes=tuple(nodes), shares=shares)


def without_refused(
    offers: tuple[Offer, ...], fleet: FleetState, *, anyway: bool = False
) -> tuple[Offer, ...]:
    """Offers with what was refused lately taken off: no more of them than are held now.

    `fleet` remembers an hour of ended nodes, so a stock-out is forgotten after an hour. `anyway` leaves in
    what may be there, and was refused again and again for other reasons.
    """
    held = _held_of_refused(fleet, offers, anyway)
    return tuple(replace(offer, obtainable=held[offer.id]) if offer.id in held else offer for offer in offers)


def _held_of_refused(fleet: FleetState, offers: Iterable[Offer], anyway: bool) -> dict[str, int]:
    """How many are held of each offer that was refused lately; what was asked for since is not."""
    refused_at = not_to_be_had(fleet, offers, anyway=anyway)
    held = dict.fromkeys(sorted(refused_at), 0)
    for node in fleet.nodes:
        at = refused_at.get(node.offer.id)
        if at is not None and node.live and not (node.status in _ASKED_FOR and node.since > at):
            held[node.offer.id] += 1
    return held


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
