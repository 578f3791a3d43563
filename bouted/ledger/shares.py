"""Who a node's money was spent for: each place in its cut by its share of the GPUs, the rest of them idle.

A place costs its model from the node's start to its end, engine or none: time in which an engine boots, loads
or has died was bought for that model all the same. Idle is what no place of the cut uses.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from bouted.ledger.prices import HOUR_US, Piece
from bouted.market.offers import Offer
from bouted.planner.planned import Template
from bouted.reconcile.names import replica_name

IDLE = "idle"
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """From `at` on the node was cut like this."""

    at: datetime
    template: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Some of a node's GPUs. `position` is the place in its cut; None, with model `IDLE`, for the rest."""

    position: int | None
    model: str
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """What one place of a node cost for a stretch of time at one price; `usd` is exact.

    `estimated`: no provider has confirmed when the node began or ended.
    """

    node: str
    offer: Offer
    place: Place
    start: datetime
    end: datetime
    usd: Fraction
    usd_per_hour: Decimal
    estimated: bool

    @property
    def gpu_hours(self) -> Fraction:
        """GPUs times hours."""
        return Fraction(self.place.gpus * ((self.end - self.start) // _US), HOUR_US)

    @property
    def replica(self) -> str:
        """The place by the name of its first engine; what is idle has the node's name alone."""
        at = self.place.position
        return self.node if at is None else replica_name(self.node, at, 1)


def places(template: Template) -> tuple[Place, ...]:
    """The places of a cut, and its idle GPUs if there are any; together all its GPUs."""
    taken = tuple(
        Place(position=position, model=shape.model, gpus=shape.gpu_count)
        for position, shape in enumerate(template.replicas)
    )
    idle = template.gpu_count * template.instances - sum(place.gpus for place in taken)
    return (*taken, Place(position=None, model=IDLE, gpus=idle)) if idle > 0 else taken


def cost_lines(
    node: str,
    offer: Offer,
    charged: Iterable[Piece],
    cuts: tuple[Cut, ...],
    *,
    estimated: bool,
) -> Iterator[CostLine]:
    """What the node was charged, place by place; the lines sum exactly to it.

    `cuts` is sorted and not empty; the first holds from the beginning.
    """
    for piece in charged:
        for part, template in _by_cut(piece, cuts):
            parts = places(template)
            gpus = sum(place.gpus for place in parts)
            for place in parts:
                yield CostLine(
                    node=node,
                    offer=offer,
                    place=place,
                    start=part.start,
                    end=part.end,
                    usd=part.usd * Fraction(place.gpus, gpus),
                    usd_per_hour=part.usd_per_hour,
                    estimated=estimated,
                )


def _by_cut(piece: Piece, cuts: tuple[Cut, ...]) -> Iterator[tuple[Piece, Template]]:
    ends = [cut.at for cut in cuts[1:]] + [piece.end]
    for at, (cut, until) in enumerate(zip(cuts, ends, strict=True)):
        start = piece.start if at == 0 else max(piece.start, cut.at)
        end = min(piece.end, until)
        if start < end:
            yield Piece(start=start, end=end, usd_per_hour=piece.usd_per_hour), cut.template
