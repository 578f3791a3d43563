"""How prices moved between two looks at the market."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from bouted.market.offers import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """One offer's price before and after, $/h for the instance; `pct` is the change in percent of before."""

    offer_id: str
    before_usd_per_hour: Decimal
    after_usd_per_hour: Decimal
    pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDrift:
    """What moved, each part sorted by offer id.

    `held`: steps of offers the fleet stands on. `cheaper`: other offers that fell. `dearer`: other offers
    that rose. `appeared` and `vanished` are the ids only one side has. `fleet_delta_usd_per_hour` is what the
    held steps add to the fleet's bill.
    """

    held: tuple[PriceStep, ...]
    cheaper: tuple[PriceStep, ...]
    dearer: tuple[PriceStep, ...]
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]
    fleet_delta_usd_per_hour: Decimal

    @property
    def steps(self) -> tuple[PriceStep, ...]:
        """Every price that moved, sorted by offer id."""
        return tuple(sorted((*self.held, *self.cheaper, *self.dearer), key=lambda step: step.offer_id))


def price_drift(before: tuple[Offer, ...], after: tuple[Offer, ...], held: tuple[str, ...]) -> PriceDrift:
    """The moves from `before` to `after`. `held` has one offer id per node, so equal nodes repeat."""
    old = {offer.id: offer.usd_per_hour for offer in before}
    new = {offer.id: offer.usd_per_hour for offer in after}
    steps = tuple(
        _step(offer_id, old[offer_id], new[offer_id])
        for offer_id in sorted(old.keys() & new.keys())
        if old[offer_id] != new[offer_id]
    )
    nodes = Counter(held)
    return PriceDrift(
        held=tuple(step for step in steps if step.offer_id in nodes),
        cheaper=tuple(step for step in steps if step.offer_id not in nodes and step.pct < 0),
        dearer=tuple(step for step in steps if step.offer_id not in nodes and step.pct > 0),
        appeared=tuple(sorted(new.keys() - old.keys())),
        vanished=tuple(sorted(old.keys() - new.keys())),
        fleet_delta_usd_per_hour=sum(
            (nodes[step.offer_id] * (step.after_usd_per_hour - step.before_usd_per_hour) for step in steps),
            Decimal(0),
        ),
    )


def _step(offer_id: str, before: Decimal, after: Decimal) -> PriceStep:
    """A step; only owned offers are free and they never move, so a move from 0 counts as from a cent."""
    pct = float((after - before) / (before or Decimal("0.01")) * 100)
    return PriceStep(offer_id=offer_id, before_usd_per_hour=before, after_usd_per_hour=after, pct=pct)
