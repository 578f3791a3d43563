"""How prices differ between places now, and how long one lives."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import median

from sqlalchemy import select

from bouted.market.offers import Market
from bouted.store.session import Store
from bouted.store.tables import Offers, PriceObservations

DWELL_WINDOW = timedelta(days=90)  # as far back as clouds keep spot histories


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What one instance type costs over its `places` (zones, or regions where sold so), $/h for the instance.

    `cheapest` is the id of the offer at `low_usd_per_hour`.
    """

    provider: str
    instance_type: str
    gpu: str
    gpu_count: int
    market: Market
    places: int
    low_usd_per_hour: Decimal
    median_usd_per_hour: Decimal
    high_usd_per_hour: Decimal
    cheapest: str


def spread_now(
    store: Store,
    now: datetime,
    *,
    gpu: str | None = None,
    instance_type: str | None = None,
    market: Market | None = None,
    within: timedelta = timedelta(hours=24),
) -> tuple[Spread, ...]:
    """The spread of each type on each market, sorted by provider, type and market.

    Counts what was confirmed `within` so long before `now`. `gpu` and `instance_type` are whole names.
    """
    seen = select(Offers).where(Offers.last_observed_at >= now - within, Offers.last_observed_at <= now)
    for column, wanted in ((Offers.gpu, gpu), (Offers.instance_type, instance_type), (Offers.market, market)):
        if wanted is not None:
            seen = seen.where(column == wanted)
    kinds: dict[tuple[str, str, Market], list[Offers]] = defaultdict(list)
    with store.reading() as session:
        for row in session.scalars(seen.order_by(Offers.id)):
            kinds[row.provider, row.instance_type, row.market].append(row)
    return tuple(_spread(kinds[kind]) for kind in sorted(kinds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwell:
    """How long a price lives, and of how many the end was seen.

    `at_least`: fewer than half of them are known to have ended, it may be longer.
    """

    life: timedelta
    at_least: bool
    ended: int


def dwell_time(store: Store, offer_id: str, now: datetime) -> timedelta | None:
    """How long a price of this offer lives: the median life, or its lower bound; None without a price."""
    found = dwell_of(store, offer_id, now)
    return found.life if found is not None else None


def dwell_of(store: Store, offer_id: str, now: datetime) -> Dwell | None:
    """How long a price of this offer lives: the median life; None for an offer without a price.

    Lives are those of the last 90 days. The running one has not ended, so it is censored: the Kaplan-Meier
    estimate of the median, in which it counts among the living up to its age and never as a death. Where
    fewer than half of the prices are known to end, the age of the running one is a lower bound, and is given.
    A first life whose beginning nobody saw counts from when it was first seen.
    """
    starts = _starts(store, offer_id, now - DWELL_WINDOW, now)
    if not starts:
        return None
    ended = sorted(later - earlier for earlier, later in pairwise(starts))
    return _median_life(ended, now - starts[-1])


def _median_life(ended: list[timedelta], running: timedelta) -> Dwell:
    """The shortest length that at most half of the lives outlast; `ended` is sorted."""
    alive = 1.0
    for place, life in enumerate(ended):
        at_risk = len(ended) - place + (running >= life)
        alive *= 1 - 1 / at_risk
        if alive <= 0.5 + 1e-9:
            return Dwell(life=life, at_least=False, ended=len(ended))
    return Dwell(life=running, at_least=True, ended=len(ended))


def _starts(store: Store, offer_id: str, since: datetime, now: datetime) -> list[datetime]:
    """When each price began, by the source's own time where it said one, oldest first."""
    query = (
        select(PriceObservations.usd_per_hour, PriceObservations.observed_at, PriceObservations.effective_at)
        .where(PriceObservations.offer_id == offer_id, PriceObservations.observed_at <= now)
        .order_by(PriceObservations.observed_at.desc(), PriceObservations.id.desc())
    )
    with store.reading() as session:
        rows = list(session.execute(query.where(PriceObservations.observed_at > since)))
        rows += session.execute(query.where(PriceObservations.observed_at <= since).limit(1))
    starts: list[datetime] = []
    price: Decimal | None = None
    for usd, observed_at, effective_at in reversed(rows):
        if usd != price:
            start = min(effective_at or observed_at, now)  # a provider's clock may be ahead of ours
            starts.append(max(start, starts[-1] if starts else since))
            price = usd
    return starts


def _spread(rows: list[Offers]) -> Spread:
    prices = [row.usd_per_hour for row in rows]
    cheapest = min(rows, key=lambda row: (row.usd_per_hour, row.id))
    return Spread(
        provider=cheapest.provider,
        instance_type=cheapest.instance_type,
        gpu=cheapest.gpu,
        gpu_count=cheapest.gpu_count,
        market=cheapest.market,
        places=len(rows),
        low_usd_per_hour=cheapest.usd_per_hour,
        median_usd_per_hour=median(prices),
        high_usd_per_hour=max(prices),
        cheapest=cheapest.id,
    )
