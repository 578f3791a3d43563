"""Steps in time: which new price is believed at once, and which must prove itself first.

Spot moves by nature, as a marketplace does, and is believed unless it jumps absurdly. An on-demand price
is a list price: it changes rarely, and for every region of a type at once. A change in one place alone is
more often a feed that shows another meter, so it waits until it has been seen often and long enough.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

from bouted.market.alone import Verdict
from bouted.market.doubt import Doubt
from bouted.market.memory import Claim, Pending
from bouted.market.offers import Market
from bouted.market.quotes import Quote

SMALL_STEP = 0.02  # rounding and currency noise
MARKETPLACES = frozenset(
    {"vast"}
)  # where each host asks what it likes: the cheapest moves as hosts come and go
SPOT_JUMP = 6.0  # spot has fallen by three quarters at once; one GPU's price for eight is a mistake
FAR_UNDER_OTHERS = Decimal("0.6")
CONFIRM_TIMES = 3
CONFIRM_AFTER = timedelta(hours=5.5)  # so that half-hourly looks believe a true step within 6 h
FLIP_CONFIRM_AFTER = timedelta(days=7)  # of a known flip, and of what looks like another meter
DROPPED_KEPT = 4
TOGETHER_REGIONS = 3
TOGETHER_SHARE = 0.9
SAME_FACTOR = 0.01


class Together:
    """Which types moved in all their regions at once by one factor: a new list price, believed at once."""

    def __init__(self, moves: Iterable[tuple[Quote, Decimal]]) -> None:
        """`moves` are quotes with the price accepted before, moved or not."""
        factors: dict[tuple[str, str, Market], list[float]] = defaultdict(list)
        for quote, before in moves:
            factors[_kind(quote)].append(float(quote.price / before))
        self._moved = {kind: middle for kind, found in factors.items() if (middle := _one_factor(found))}

    def explains(self, quote: Quote, before: Decimal) -> bool:
        """Whether this step is part of such a move."""
        factor = self._moved.get(_kind(quote))
        return factor is not None and abs(float(quote.price / before) / factor - 1) <= SAME_FACTOR


def judge_step(
    quote: Quote,
    claim: Claim | None,
    together: Together,
    others: tuple[Decimal, ...],
    now: datetime,
    odd: Verdict | None = None,
) -> tuple[Claim, Verdict | None]:
    """The claim as it is after this quote, and the doubt that keeps the quote waiting, if any.

    `others` are what independent sources say of the same offer, in the quote's currency. `odd` is a doubt
    about the price itself: it must stay for a week, unless it was accepted before.
    """
    claim = claim or Claim(accepted=None)
    if any(_near(quote.price, other) for other in others):
        return _accepted(quote, claim), None
    if claim.accepted is None:
        doubt = odd or _far_under(quote, others)
        return (_accepted(quote, claim), None) if doubt is None else _waiting(quote, claim, doubt, now)
    before = claim.accepted.price
    if not _must_wait(quote, before) or together.explains(quote, before):
        return _accepted(quote, claim), None
    percent = f"{float(quote.price / before - 1):+.0%}"
    step = (Doubt.UNCONFIRMED_STEP, f"{before} -> {quote.price} ({percent})")
    return _waiting(quote, claim, odd or step, now)


def settled_price(quote: Quote, claim: Claim | None) -> Decimal:
    """The price to measure other regions by: the accepted one until a new one is about to be confirmed."""
    if claim is None or claim.accepted is None or claim.accepted.currency != quote.currency:
        return quote.price
    pending = claim.pending
    ripe = pending is not None and pending.times >= CONFIRM_TIMES - 1 and _near(pending.price, quote.price)
    return quote.price if ripe or not _must_wait(quote, claim.accepted.price) else claim.accepted.price


def _waiting(quote: Quote, claim: Claim, doubt: Verdict, now: datetime) -> tuple[Claim, Verdict | None]:
    pending = claim.pending
    same = pending is not None and _near(pending.price, quote.price)
    since, times = (min(pending.since, now), pending.times + 1) if pending and same else (now, 1)
    flips = quote.price in claim.dropped
    needed = FLIP_CONFIRM_AFTER if flips or doubt[0] is Doubt.ABOVE_SIBLINGS else CONFIRM_AFTER
    if times >= CONFIRM_TIMES and now - since >= needed:
        return _accepted(quote, claim), None
    kept = Claim(
        accepted=claim.accepted,
        pending=Pending(price=quote.price, since=since, times=times),
        dropped=claim.dropped if same else _dropping(claim),
    )
    stays = f"; {claim.accepted.price} stays in use" if claim.accepted else ""
    why = f"{doubt[1]}, seen {times} of {CONFIRM_TIMES} times{stays}"
    if flips:
        return kept, (Doubt.FLIPS, f"came and went before: {why}")
    return kept, (doubt[0], why)


def _far_under(quote: Quote, others: tuple[Decimal, ...]) -> Verdict | None:
    """An on-demand price that was never seen before and is far under all that others say."""
    if quote.market is not Market.ON_DEMAND or not others or quote.price >= FAR_UNDER_OTHERS * min(others):
        return None
    return Doubt.DISAGREES, f"{quote.price} is new, others say {min(others)}"


def _accepted(quote: Quote, claim: Claim) -> Claim:
    waited = claim.pending is not None and _near(claim.pending.price, quote.price)
    return Claim(accepted=quote, dropped=claim.dropped if waited else _dropping(claim))


def _dropping(claim: Claim) -> tuple[Decimal, ...]:
    """The known flips once the price that waited has gone again."""
    if claim.pending is None or claim.pending.price in claim.dropped:
        return claim.dropped
    return (*claim.dropped, claim.pending.price)[-DROPPED_KEPT:]


def _must_wait(quote: Quote, before: Decimal) -> bool:
    factor = float(quote.price / before)
    if quote.market is Market.SPOT or quote.provider in MARKETPLACES:
        return not 1 / SPOT_JUMP < factor < SPOT_JUMP
    return abs(factor - 1) > SMALL_STEP


def _one_factor(factors: list[float]) -> float | None:
    """The factor that (nearly) all moved by; None for too few regions, no move, or different moves."""
    middle = median(factors)
    alike = sum(abs(factor / middle - 1) <= SAME_FACTOR for factor in factors)
    enough = len(factors) >= TOGETHER_REGIONS and alike >= TOGETHER_SHARE * len(factors)
    return middle if enough and abs(middle - 1) > SMALL_STEP else None


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(float(one / other) - 1) <= SMALL_STEP if other else False


def _kind(quote: Quote) -> tuple[str, str, Market]:
    return quote.provider, quote.instance_type, quote.market
