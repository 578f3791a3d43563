"""A row for a node that runs without one, so that its money is in the ledger before it is ended. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from bouted.market.offers import Confidence, Market, Offer
from bouted.planner.planned import Template
from bouted.reconcile.fleet import Node
from bouted.reconcile.launcher import SeenNode
from bouted.reconcile.names import parse_node_name, slot_digest
from bouted.reconcile.states import NodeStatus, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What rows of orphans are made from: deployment, launcher, the slots there are or were, and offers."""

    deployment: str
    launcher: str
    slots: tuple[str, ...]
    offers: Mapping[str, Offer]


def orphan_row(seen: SeenNode, known: Known, now: datetime) -> Node:
    """The row of an orphan that is asked to end."""
    digest, incarnation = parse_node_name(known.deployment, seen.name) or (seen.name, 1)
    slot = next((slot for slot in known.slots if slot_digest(slot) == digest), f"orphan-{digest}")
    offer, told = _offer(seen.offer_id, known.offers, now)
    return Node(
        name=seen.name,
        slot=slot,
        incarnation=incarnation,
        plan_id="",
        offer=offer,
        template=Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=()),
        launcher=known.launcher,
        status=NodeStatus.STOPPING,
        reason=Reason.ORPHAN,
        since=now,
        launched_at=seen.started_at,
        instance_id=seen.instance_id,
        note=f"ran under our mark without a row{told}",
    )


def _offer(offer_id: str, offers: Mapping[str, Offer], now: datetime) -> tuple[Offer, str]:
    """The offer it is of, and what is to be said of its price."""
    if offer_id in offers:
        return offers[offer_id], ""
    provider, place, instance_type, market = _parts(offer_id)
    alike = _dearest(o for o in offers.values() if o.instance_type == instance_type)
    guess = alike or _dearest(offers.values())
    if guess is None:
        return _unpriced(offer_id or "unknown", now), "; nobody knows its price, none is counted"
    named = replace(
        guess,
        provider=provider or guess.provider,
        region=place or guess.region,
        zone="",
        instance_type=instance_type or "unknown",
        market=Market(market) if market in list(Market) else guess.market,
        source="estimated",
        confidence=Confidence.LOW,
    )
    return named, f"; its price is estimated, as the dearest {'of its kind' if alike else 'there is'}"


def _parts(offer_id: str) -> tuple[str, str, str, str]:
    parts = offer_id.split("/")
    return (parts[0], parts[1], parts[2], parts[3]) if len(parts) == 4 else ("", "", "", "")


def _dearest(offers: Iterable[Offer]) -> Offer | None:
    return max(offers, key=lambda offer: (offer.usd_per_hour, offer.id), default=None)


def _unpriced(instance_type: str, now: datetime) -> Offer:
    return Offer(
        provider="unknown",
        region="unknown",
        zone="",
        instance_type=instance_type,
        gpu="unknown",
        gpu_count=1,
        market=Market.OWNED,
        usd_per_hour=Decimal(0),
        obtainable=0,
        hazard_per_hour=0.0,
        source="estimated",
        observed_at=now,
        confidence=Confidence.LOW,
    )
