"""What runs now, as a solve sees it: equal nodes together, at today's prices."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bouted.market.offers import Offer
from bouted.planner.planned import Incumbent, PlannedNode, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Equal nodes of the incumbent, at the price believed now."""

    offer: Offer
    template: Template
    count: int

    @property
    def node(self) -> PlannedNode:
        """One of them."""
        return PlannedNode(offer=self.offer, template=self.template, ordinal=0)


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


def with_held(offers: Sequence[Offer], kept: Sequence[Held]) -> tuple[Offer, ...]:
    """All offers that nodes are of or could be of, by id."""
    known = {offer.id: offer for offer in (*(item.offer for item in kept), *offers)}
    return tuple(known[offer_id] for offer_id in sorted(known))


def held_instances(kept: Sequence[Held]) -> Counter[str]:
    """How many instances of each offer are held, by its id."""
    counts = Counter[str]()
    for item in kept:
        counts[item.offer.id] += item.count * item.template.instances
    return counts
