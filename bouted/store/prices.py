"""Prices as they were seen: a row when something changed, none when it was only confirmed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from bouted.market.offers import Offer
from bouted.store.session import Store
from bouted.store.tables import Offers, PriceObservations


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePoint:
    """From `at` on, the whole instance costs `usd_per_hour`."""

    at: datetime
    usd_per_hour: Decimal


def record_offers(store: Store, offers: tuple[Offer, ...], now: datetime) -> int:
    """Records what was seen; returns how many rows that took.

    An offer gets a row only when its price, obtainable count or confidence differs from what is
    believed. What was observed before the latest belief is old news and changes nothing.
    """
    rows = 0
    with store.writing() as session:
        known = {row.id: row for row in session.scalars(select(Offers))}
        believed = {row.offer_id: _belief(row) for row in session.scalars(_latest())}
        for offer in sorted(offers, key=lambda offer: (offer.id, offer.observed_at)):
            row = known.get(offer.id)
            if row is None:
                row = known[offer.id] = _new_row(session, offer)
            elif offer.observed_at < row.last_observed_at:
                continue
            row.region, row.gpu, row.gpu_count = offer.region, offer.gpu, offer.gpu_count
            row.last_observed_at = offer.observed_at
            if believed.get(offer.id) != _belief(offer):
                believed[offer.id] = _belief(offer)
                session.add(_observation(offer, now))
                rows += 1
    return rows


def believed_offers(store: Store) -> tuple[Offer, ...]:
    """Every offer ever seen, as last believed, sorted by id; `observed_at` is its last confirmation."""
    with store.reading() as session:
        known = {row.id: row for row in session.scalars(select(Offers))}
        offers = [_offer(known[row.offer_id], row) for row in session.scalars(_latest())]
    return tuple(sorted(offers, key=lambda offer: offer.id))


def price_history(store: Store, offer_id: str, since: datetime) -> tuple[PricePoint, ...]:
    """The steps of an offer's price, oldest first; the first is the price in force at `since`, if known."""
    with store.reading() as session:
        before = session.execute(_price_before(offer_id, since)).first()
        later = session.execute(
            _prices(offer_id)
            .where(PriceObservations.observed_at > since)
            .order_by(PriceObservations.observed_at, PriceObservations.id)
        ).all()
    points = [] if before is None else [PricePoint(at=since, usd_per_hour=before[1])]
    points += [PricePoint(at=at, usd_per_hour=usd) for at, usd in later]
    return tuple(next(same) for _, same in groupby(points, key=lambda point: point.usd_per_hour))


def price_at(store: Store, offer_id: str, at: datetime) -> Decimal | None:
    """The price believed of an offer for the instant `at`; None when it had not been seen by then."""
    with store.reading() as session:
        row = session.execute(_price_before(offer_id, at)).first()
    return None if row is None else row[1]


def _prices(offer_id: str) -> Select[datetime, Decimal]:
    return select(PriceObservations.observed_at, PriceObservations.usd_per_hour).where(
        PriceObservations.offer_id == offer_id
    )


def _price_before(offer_id: str, at: datetime) -> Select[datetime, Decimal]:
    """The last observation up to `at`: one step down the index on (offer_id, observed_at)."""
    return (
        _prices(offer_id)
        .where(PriceObservations.observed_at <= at)
        .order_by(PriceObservations.observed_at.desc(), PriceObservations.id.desc())
        .limit(1)
    )


def _latest() -> Select[PriceObservations]:
    """The latest observation of every offer, one index step each."""
    each = aliased(PriceObservations)
    last = (
        select(each.id)
        .where(each.offer_id == Offers.id)
        .order_by(each.observed_at.desc(), each.id.desc())
        .limit(1)
        .correlate(Offers)
        .scalar_subquery()
    )
    return select(PriceObservations).join_from(Offers, PriceObservations, PriceObservations.id == last)


def _belief(seen: Offer | PriceObservations) -> tuple[Decimal, int, str]:
    """What makes a new row when it changes."""
    return seen.usd_per_hour, seen.obtainable, seen.confidence


def _new_row(session: Session, offer: Offer) -> Offers:
    row = Offers(
        id=offer.id,
        provider=offer.provider,
        region=offer.region,
        zone=offer.zone,
        instance_type=offer.instance_type,
        gpu=offer.gpu,
        gpu_count=offer.gpu_count,
        market=offer.market,
        last_observed_at=offer.observed_at,
    )
    session.add(row)
    return row


def _observation(offer: Offer, now: datetime) -> PriceObservations:
    return PriceObservations(
        offer_id=offer.id,
        usd_per_hour=offer.usd_per_hour,
        obtainable=offer.obtainable,
        hazard_per_hour=offer.hazard_per_hour,
        source=offer.source,
        confidence=offer.confidence,
        observed_at=offer.observed_at,
        recorded_at=now,
    )


def _offer(what: Offers, seen: PriceObservations) -> Offer:
    return Offer(
        provider=what.provider,
        region=what.region,
        zone=what.zone,
        instance_type=what.instance_type,
        gpu=what.gpu,
        gpu_count=what.gpu_count,
        market=what.market,
        usd_per_hour=seen.usd_per_hour,
        obtainable=seen.obtainable,
        hazard_per_hour=seen.hazard_per_hour,
        source=seen.source,
        observed_at=what.last_observed_at,
        confidence=seen.confidence,
    )
