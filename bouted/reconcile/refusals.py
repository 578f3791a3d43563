"""Which offers cannot be launched now, by what launches of the last hour came to. Pure.

That there is none, or no quota, is believed at once. Whatever else was refused (no right, no image, a machine
that never answered) may have been an accident, or be our own doing: it counts once it is repeated, is
forgotten as soon as one comes up, and planning that finds nothing without such offers takes them after all.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from bouted.market.offers import Offer
from bouted.reconcile.backoff import came_up, failed_launches
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.states import NodeStatus, Reason

REPEATED = 2
"""Launches of one offer that must have failed, with none since that came up."""
ACCOUNT = 3
"""Offers of one provider that must all fail so, with nothing of it up, before it is the account's doing."""
_SOLD_OUT = frozenset({Reason.NO_CAPACITY, Reason.QUOTA})
_REFUSED = frozenset({Reason.ERROR})


def sold_out(fleet: FleetState) -> dict[str, datetime]:
    """Offers of which there was none, or no quota, and when last."""
    found: dict[str, datetime] = {}
    for node in fleet.nodes:
        if node.status is NodeStatus.FAILED and node.reason in _SOLD_OUT:
            found[node.offer.id] = max(node.since, found.get(node.offer.id, node.since))
    return found


def not_launching(fleet: FleetState) -> dict[str, Node]:
    """Offers whose launches fail again and again for other reasons, and the last that did."""
    of_offer: defaultdict[str, list[Node]] = defaultdict(list)
    for node in fleet.nodes:
        of_offer[node.offer.id].append(node)
    return {
        offer: max(filter(_was_refused, nodes), key=lambda node: node.since)
        for offer, nodes in sorted(of_offer.items())
        if len(failed_launches(nodes, _REFUSED)) >= REPEATED
    }


def not_to_be_had(
    fleet: FleetState, offers: Iterable[Offer], *, anyway: bool = False
) -> Mapping[str, datetime]:
    """Which of these offers cannot be had, and when that was last met. `anyway`: only those sold out."""
    out = sold_out(fleet)
    failing = {} if anyway else not_launching(fleet)
    shut = _shut(fleet, failing.values())
    found: dict[str, datetime] = {}
    for offer in offers:
        last = failing.get(offer.id)
        times = (out.get(offer.id), last.since if last is not None else None, shut.get(offer.provider))
        if met := [at for at in times if at is not None]:
            found[offer.id] = max(met)
    return found


def _shut(fleet: FleetState, failing: Iterable[Node]) -> dict[str, datetime]:
    """Providers at which nothing is launched any more, and when that was last met."""
    of_provider: defaultdict[str, list[datetime]] = defaultdict(list)
    for node in failing:
        of_provider[node.offer.provider].append(node.since)
    up = {node.offer.provider for node in fleet.nodes if came_up(node) is not None}
    return {
        provider: max(times)
        for provider, times in of_provider.items()
        if len(times) >= ACCOUNT and provider not in up
    }


def _was_refused(node: Node) -> bool:
    return node.status is NodeStatus.FAILED and node.reason in _REFUSED
