"""What is learned about an offer from living with it: how often it is refused, how soon it is lost. Pure.

Evidence fades: what happened a half-life ago counts half. Two conjugate models sit on it.

- Losses: a rate per hour, Gamma. What the cloud advises, or the market's default, weighs as much as
  `PRIOR_HOURS` hours lived through: with 0.05 as advice that is 1.2 losses in 24 h. Without evidence the
  advice stands; 100 quiet hours against it make 0.0099.
- Refusals: a share of the launches, Beta. The prior is worth two launches of which a tenth is refused: one
  fresh refusal makes 40 %, three in a row 64 %.

Beside them, a stock-out that has just been met: for `STOCK_OUT_HALF_LIFE` half of what the cloud claims to
have is counted on, doubled with each refusal in a row up to a day. A launch that works ends it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import expm1, log1p

from bouted.clock import require_utc
from bouted.market.offers import Offer

HALF_LIFE = timedelta(days=14)
PRIOR_HOURS = 24.0
PRIOR_LAUNCHES = 2.0
PRIOR_REFUSED = 0.1
STOCK_OUT_HALF_LIFE = timedelta(hours=1)
LONGEST_STOCK_OUT = timedelta(days=1)
_SURE = 1 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What happened with one offer, each count with the weight it had at `as_of`.

    `hours` were lived through on its machines, `losses` of which ended. Of launches, `granted` came and
    `refused` did not. For want of stock or quota `refused_in_row` did not since the last that came, the
    latest at `refused_at`.
    """

    as_of: datetime
    hours: float = 0.0
    losses: float = 0.0
    granted: float = 0.0
    refused: float = 0.0
    refused_in_row: int = 0
    refused_at: datetime | None = None

    def __post_init__(self) -> None:
        require_utc(self.as_of, "as_of")
        if min(self.hours, self.losses, self.granted, self.refused, self.refused_in_row) < 0:
            raise ValueError(f"odds cannot count less than nothing: {self}")


def faded(odds: Odds, now: datetime, half_life: timedelta = HALF_LIFE) -> Odds:
    """The same evidence with its weight at `now`; as it is where `now` is not later."""
    if now <= odds.as_of:
        return odds
    weight = _weight(odds, now, half_life)
    return replace(
        odds,
        as_of=now,
        hours=odds.hours * weight,
        losses=odds.losses * weight,
        granted=odds.granted * weight,
        refused=odds.refused * weight,
    )


def granted(odds: Odds | None, at: datetime, half_life: timedelta = HALF_LIFE) -> Odds:
    """After a launch that came."""
    before, weight = _open(odds, at, half_life)
    ends = before.refused_at is None or before.refused_at <= at
    return replace(
        before,
        granted=before.granted + weight,
        refused_in_row=0 if ends else before.refused_in_row,
        refused_at=None if ends else before.refused_at,
    )


def refused(odds: Odds | None, at: datetime, half_life: timedelta = HALF_LIFE) -> Odds:
    """After a launch that was refused: no capacity, or no quota."""
    before, weight = _open(odds, at, half_life)
    return replace(
        before,
        refused=before.refused + weight,
        refused_in_row=before.refused_in_row + 1,
        refused_at=max(at, before.refused_at or at),
    )


def failed(odds: Odds | None, at: datetime, half_life: timedelta = HALF_LIFE) -> Odds:
    """After a launch that was refused for another reason: no right, no image. That is no stock-out."""
    before, weight = _open(odds, at, half_life)
    return replace(before, refused=before.refused + weight)


def lost(odds: Odds | None, at: datetime, half_life: timedelta = HALF_LIFE) -> Odds:
    """After a machine was taken, or vanished."""
    before, weight = _open(odds, at, half_life)
    return replace(before, losses=before.losses + weight)


def survived(odds: Odds | None, hours: float, at: datetime, half_life: timedelta = HALF_LIFE) -> Odds:
    """After so many hours on its machines, all counted as of `at`."""
    before, weight = _open(odds, at, half_life)
    return replace(before, hours=before.hours + hours * weight)


def hazard_per_hour(
    odds: Odds | None, prior: float, now: datetime, half_life: timedelta = HALF_LIFE
) -> float:
    """The odds of losing a machine within an hour. `prior` is what is thought without evidence."""
    if odds is None:
        return prior
    seen = faded(odds, now, half_life)
    rate = (-log1p(-min(prior, _SURE)) * PRIOR_HOURS + seen.losses) / (PRIOR_HOURS + seen.hours)
    return -expm1(-rate)


def refusal_odds(odds: Odds | None, now: datetime, half_life: timedelta = HALF_LIFE) -> float:
    """The odds that a launch is refused."""
    if odds is None:
        return PRIOR_REFUSED
    seen = faded(odds, now, half_life)
    launches = PRIOR_LAUNCHES + seen.granted + seen.refused
    return (PRIOR_LAUNCHES * PRIOR_REFUSED + seen.refused) / launches


def stock_out(odds: Odds | None, now: datetime) -> float:
    """How much of a stock-out just met is still to be expected: 1 at once, 0 without one or after a grant."""
    if odds is None or odds.refused_at is None or odds.refused_in_row == 0:
        return 0.0
    half = min(STOCK_OUT_HALF_LIFE * 2 ** min(odds.refused_in_row - 1, 10), LONGEST_STOCK_OUT)
    return float(0.5 ** max(0.0, (now - odds.refused_at) / half))


def learned(offer: Offer, odds: Odds | None, now: datetime, half_life: timedelta = HALF_LIFE) -> Offer:
    """The offer with what was lived through in its odds; its own are the prior.

    What can be had at once shrinks by the share of a stock-out that is still to be expected, rounded: an hour
    after one refusal an offer of one can be had again, and of eight four can.
    """
    if odds is None:
        return offer
    return replace(
        offer,
        hazard_per_hour=hazard_per_hour(odds, offer.hazard_per_hour, now, half_life),
        obtainable=int(offer.obtainable * (1 - stock_out(odds, now)) + 0.5),
    )


def _open(odds: Odds | None, at: datetime, half_life: timedelta) -> tuple[Odds, float]:
    """The odds to add something of `at` to, and its weight there: less than 1 where the odds are later."""
    before = Odds(as_of=at) if odds is None else faded(odds, at, half_life)
    late = before.as_of - at
    return before, float(0.5 ** (late / half_life)) if late > timedelta(0) else 1.0


def _weight(odds: Odds, now: datetime, half_life: timedelta) -> float:
    return float(0.5 ** ((now - odds.as_of) / half_life))
