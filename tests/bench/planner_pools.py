"""What autoscalers buy for one model: so many of an offer, filled with replicas of one shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner_arena import Arena

from bouted.market.offers import Offer
from bouted.planner.planned import Template
from bouted.planner.pools import may_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """An offer filled with equal replicas: how many fit, and how many of it are left to buy."""

    offer: Offer
    template: Template
    room: int

    @property
    def shape_id(self) -> str:
        """Which replica."""
        return self.template.replicas[0].id


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """So many of a cut."""

    cut: Cut
    count: int


def cuts_for(arena: Arena, model: int, left: Mapping[str, int]) -> list[Cut]:
    """Everything that one model can run on, of what is left per offer id."""
    rules = arena.problem.models[model]
    return [
        Cut(
            offer=offer,
            template=Template(gpu=offer.gpu, gpu_count=offer.gpu_count, replicas=(shape,) * fit),
            room=left[offer.id],
        )
        for offer in arena.problem.offers
        for shape in (profile.shape for profile in arena.problem.profiles.profiles)
        if (shape.model, shape.gpu) == (rules.name, offer.gpu) and may_run(rules, offer)
        if (fit := offer.gpu_count // shape.gpu_count) and left[offer.id] > 0
    ]


def usd_of(bought: Sequence[Bought]) -> float:
    """What it costs an hour."""
    return sum(float(item.cut.offer.usd_per_hour) * item.count for item in bought)
