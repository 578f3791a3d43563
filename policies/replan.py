"""When to plan again: the config changed, or what is adopted; capacity was lost; the load or prices moved.

What cannot wait (a new config, more or less adopted, lost capacity, more load) is acted on at once. The rest
keeps a gap between plans, so that a flapping price does not keep the planner busy.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from bouted.market.drift import PriceDrift, PriceStep, price_drift
from bouted.market.offers import Offer
from bouted.planner.plan import Trigger
from bouted.planner.situation import Direction, LoadShift, ReplanReason, Situation

RISE_HASTE = 3  # more load hurts at once, less load only costs: a rise settles this much faster


class ReplanOnDrift:
    """Replans on any drift that could change the plan; see `bouted.planner.situation.ReplanPolicy`."""

    def __init__(
        self, *, price_step_pct: float, load_step_pct: float, load_settle_s: float, min_gap_s: float
    ) -> None:
        self.price_step_pct = price_step_pct
        self.load_step_pct = load_step_pct
        self.load_settle_s = load_settle_s
        self.min_gap_s = min_gap_s

    def load_shift(
        self,
        planned_per_s: float,
        low_per_s: float,
        high_per_s: float,
        before: LoadShift | None,
        now: datetime,
    ) -> LoadShift | None:
        """Off the plan when the whole interval is `load_step_pct` or more above or below the planned rate."""
        step = self.load_step_pct / 100
        if low_per_s > 0 and low_per_s >= planned_per_s * (1 + step):
            direction = Direction.UP
        elif high_per_s < planned_per_s and high_per_s <= planned_per_s * (1 - step):
            direction = Direction.DOWN
        else:
            return None
        since = min(before.since, now) if before is not None and before.direction is direction else now
        return LoadShift(direction=direction, since=since)

    def reason(self, previous: Situation | None, current: Situation, now: datetime) -> ReplanReason | None:
        """The most pressing reason to plan again, or None."""
        if previous is None:
            return ReplanReason(trigger=Trigger.FIRST, detail="there is no plan yet")
        urgent = _config(previous, current) or _adopted(previous, current)
        urgent = urgent or _capacity_lost(previous, current)
        urgent = urgent or self._load(Direction.UP, previous, current, now)
        # A plan that was made later than now was so before the clock was set back: no gap is left to keep.
        if urgent or timedelta(0) <= now - previous.at < timedelta(seconds=self.min_gap_s):
            return urgent
        return (
            self._price(previous, current)
            or self._load(Direction.DOWN, previous, current, now)
            or _capacity_back(previous, current)
        )

    def _load(
        self, direction: Direction, previous: Situation, current: Situation, now: datetime
    ) -> ReplanReason | None:
        """A shift that has lasted long enough; a rise with the targets missed has."""
        shift = current.load_shift
        if shift is None or shift.direction is not direction:
            return None
        rise = direction is Direction.UP
        settle_s = self.load_settle_s / RISE_HASTE if rise else self.load_settle_s
        lasted_s = (now - shift.since).total_seconds()
        if lasted_s < settle_s and not (rise and current.targets_met is False):
            return None
        rates = f"{current.rate_per_s:.3g} queries/s, planned for {previous.rate_per_s:.3g}"
        return ReplanReason(trigger=Trigger.LOAD, detail=f"load {direction} for {lasted_s:.0f} s: {rates}")

    def _price(self, previous: Situation, current: Situation) -> ReplanReason | None:
        """A held price moved, or another fell or appeared below what its GPU cost before, by the step."""
        drift = price_drift(previous.offers, current.offers, current.held)
        moved = [step for step in drift.held if abs(step.pct) >= self.price_step_pct]
        moved += [step for step in drift.cheaper if -step.pct >= self.price_step_pct]
        if moved:
            most = max(moved, key=lambda step: abs(step.pct))
            others = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
            return ReplanReason(trigger=Trigger.PRICE, detail=f"{_told(most)}{others}")
        for offer in self._bargains(previous, current, drift):
            detail = f"{offer.id} is new at ${offer.usd_per_hour}/h"
            return ReplanReason(trigger=Trigger.PRICE, detail=detail)
        return None

    def _bargains(self, previous: Situation, current: Situation, drift: PriceDrift) -> tuple[Offer, ...]:
        """New offers that undercut the cheapest known offer of their GPU, per GPU, by the step."""
        floor: dict[str, Decimal] = {}
        for offer in previous.offers:
            floor[offer.gpu] = min(floor.get(offer.gpu, _per_gpu(offer)), _per_gpu(offer))
        factor = 1 - Decimal(str(self.price_step_pct)) / 100
        return tuple(
            offer
            for offer in current.offers
            if offer.id in drift.appeared
            and (offer.gpu not in floor or _per_gpu(offer) <= floor[offer.gpu] * factor)
        )


def _per_gpu(offer: Offer) -> Decimal:
    return offer.usd_per_hour / offer.gpu_count


def _told(step: PriceStep) -> str:
    prices = f"${step.before_usd_per_hour} -> ${step.after_usd_per_hour}"
    return f"{step.offer_id} {step.pct:+.0f} % ({prices})"


def _config(previous: Situation, current: Situation) -> ReplanReason | None:
    if previous.config_hash == current.config_hash:
        return None
    return ReplanReason(trigger=Trigger.CONFIG, detail="the config changed what plans depend on")


def _adopted(previous: Situation, current: Situation) -> ReplanReason | None:
    """Somebody adopted or let go what costs something, so that plans have less or more to spend."""
    before, now = previous.adopted_usd_per_hour, current.adopted_usd_per_hour
    if before == now:
        return None
    detail = f"adopted endpoints cost ${now:.2f}/h, planned beside ${before:.2f}/h"
    return ReplanReason(trigger=Trigger.OPERATOR, detail=detail)


def _capacity_lost(previous: Situation, current: Situation) -> ReplanReason | None:
    refused = sorted(set(current.out_of_stock) - set(previous.out_of_stock))
    failing = sorted(set(current.not_launching) - set(previous.not_launching))
    lost = sorted(set(current.lost_nodes) - set(previous.lost_nodes))
    parts = [f"out of stock: {', '.join(refused)}"] if refused else []
    parts += [f"launches fail of {offer}: {current.not_launching[offer]}" for offer in failing]
    parts += [f"lost: {', '.join(lost)}"] if lost else []
    return ReplanReason(trigger=Trigger.CAPACITY, detail="; ".join(parts)) if parts else None


def _capacity_back(previous: Situation, current: Situation) -> ReplanReason | None:
    refused = {*previous.out_of_stock, *previous.not_launching}
    back = sorted(refused - {*current.out_of_stock, *current.not_launching})
    if not back:
        return None
    return ReplanReason(trigger=Trigger.CAPACITY, detail=f"worth another try: {', '.join(back)}")
