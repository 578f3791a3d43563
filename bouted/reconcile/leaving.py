"""Nodes that their provider takes back at a known time: how long they stay, what they still cost. Pure."""

from datetime import datetime
from decimal import Decimal

from bouted.reconcile.fleet import FleetState, Node

OVERDUE_S = 120.0
"""A node that is still there so long after its time counts again with its whole price."""
_HOUR_S = 3600


def left_s(node: Node, now: datetime) -> float:
    """Seconds until its provider takes it, negative after that; for ever when nobody said so."""
    return float("inf") if node.leaves_at is None else (node.leaves_at - now).total_seconds()


def told_leaving(node: Node, now: datetime) -> str:
    """The same for a person, "" when nobody said so."""
    if node.leaves_at is None:
        return ""
    minutes, seconds = divmod(round(abs(left_s(node, now))), 60)
    span = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if node.leaves_at > now:
        return f"leaves in {span}: its provider takes it back"
    return f"should have left {span} ago: its provider takes it back"


def ahead_usd_per_hour(node: Node, now: datetime) -> Decimal:
    """What a node costs in the hour ahead: all of its price, or the part up to the time at which it goes."""
    left = left_s(node, now)
    if not -OVERDUE_S <= left < _HOUR_S:
        return node.usd_per_hour
    return node.usd_per_hour * Decimal(max(0, round(left))) / _HOUR_S


def committed_ahead(fleet: FleetState, now: datetime) -> Decimal:
    """What launches have to fit beside: all that is committed in the hour ahead."""
    gone = (node.usd_per_hour - ahead_usd_per_hour(node, now) for node in fleet.nodes if node.paid)
    return fleet.committed_usd_per_hour() - sum(gone, Decimal(0))


def committed_to_stay(fleet: FleetState) -> Decimal:
    """What is committed for longer than its provider lets it: over the cap with what goes anyway, nothing
    else has to go."""
    gone = (node.usd_per_hour for node in fleet.nodes if node.paid and node.leaves_at is not None)
    return fleet.committed_usd_per_hour() - sum(gone, Decimal(0))
