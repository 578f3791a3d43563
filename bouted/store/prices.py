"""Prices as they were seen: a row when something changed, none when it was only confirmed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select, true, update
from sqlalchemy.orm import Session

from bouted.market.memory import Memory
from bouted.market.offers import Offer
from bouted.store.bulk import insert_rows, update_rows
from bouted.store.kinds import Verdict
from bouted.store.session import Store
from bouted.store.tables import Offers, PriceClaims, PriceObservations, PriceSources

_AT_ONCE = 500  # ids in one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePoint:
    """From `at` on, the whole instance costs `usd_per_hour`."""

    at: datetime
    usd_per_hour: Decimal


def record_offers(
    store: Store,
    offers: tuple[Offer, ...],
    now: datetime,
    *,
    effective_at: Mapping[str, datetime] | None = None,
) -> int:
    """Records what was seen; returns how many observations that took.

    An offer gets one only when its price, obtainable count or confidence differs from what is believed.
    What was observed before the latest belief is old news and changes nothing. `effective_at` says by offer
    id since when a price has held, where that is known.
    """
    since = effective_at or {}
    with store.writing() as session:
        known = {offer.id: offer for offer in _recorded(session)}
        latest, changes = _changes(known, offers)
        insert_rows(session, Offers, [_row(latest[id]) for id in latest.keys() - known.keys()])
        moved = [id for id in latest.keys() & known.keys() if _moved(known[id], latest[id])]
        update_rows(session, Offers, [_row(latest[id]) for id in moved])
        confirmed = (latest.keys() & known.keys()) - set(moved)
        _confirm(session, (latest[id] for id in confirmed))
        rows = [_observation(offer, now, since.get(offer.id)) for offer in changes]
        insert_rows(session, PriceObservations, rows)
    return len(changes)


def believed_offers(store: Store) -> tuple[Offer, ...]:
    """Every offer that is believed, sorted by id; `observed_at` is its last confirmation.

    What its source no longer offers, or is too old to believe, has a past and no place here.
    """
    named = PriceClaims.offer_id == Offers.id
    believed = exists().where(named, PriceClaims.verdict == Verdict.BELIEVED)
    nobody_asked = ~exists().where(PriceSources.name.is_not(None))
    with store.reading() as session:
        return tuple(sorted(_recorded(session, nobody_asked | believed), key=lambda offer: offer.id))


def effective_times(memory: Memory, offers: Iterable[Offer]) -> dict[str, datetime]:
    """Since when the prices of these offers have held, by id, as the sources they are from say."""
    said = {
        (claim.accepted.source, key[1]): claim.accepted.effective_at
        for key, claim in memory.items()
        if claim.accepted is not None
    }
    since = ((offer.id, said.get((offer.source, offer.id))) for offer in offers)
    return {id: at for id, at in since if at is not None}


def price_history(store: Store, offer_id: str, since: datetime) -> tuple[PricePoint, ...]:
    """The steps of an offer's price, oldest first; the first is the price in force at `since`, if known."""
    with store.reading() as session:
        before = session.execute(price_before(offer_id, since)).first()
        later = session.execute(
            _prices(offer_id)
            .where(PriceObservations.observed_at > since)
            .order_by(PriceObservations.observed_at, PriceObservations.id)
        ).all()
    points = [] if before is None else [PricePoint(at=since, usd_per_hour=before[1])]
    points += [PricePoint(at=at, usd_per_hour=usd) for at, usd in later]
    return _steps(points)


def price_histories(
    store: Store, offer_ids: Iterable[str], since: datetime
) -> dict[str, tuple[PricePoint, ...]]:
    """The `price_history` of each of these offers, in a few statements however many there are."""
    ids = list(offer_ids)
    points: dict[str, list[PricePoint]] = {id: [] for id in ids}
    with store.reading() as session:
        for some in _in_batches(ids):
            for id, usd in session.execute(_in_force(some, since)):
                points[id] += [] if usd is None else [PricePoint(at=since, usd_per_hour=usd)]
            for id, at, usd in session.execute(_later(some, since)):
                points[id].append(PricePoint(at=at, usd_per_hour=usd))
    return {id: _steps(found) for id, found in points.items()}


def price_at(store: Store, offer_id: str, at: datetime) -> Decimal | None:
    """The price believed of an offer for the instant `at`; None when it had not been seen by then."""
    with store.reading() as session:
        row = session.execute(price_before(offer_id, at)).first()
    return None if row is None else row[1]


def price_before(offer_id: str, at: datetime) -> Select[datetime, Decimal]:
    """The last observation up to `at`: one step down the index on (offer_id, observed_at)."""
    return (
        _prices(offer_id)
        .where(PriceObservations.observed_at <= at)
        .order_by(PriceObservations.observed_at.desc(), PriceObservations.id.desc())
        .limit(1)
    )


def _prices(offer_id: str) -> Select[datetime, Decimal]:
    return select(PriceObservations.observed_at, PriceObservations.usd_per_hour).where(
        PriceObservations.offer_id == offer_id
    )


def _steps(points: list[PricePoint]) -> tuple[PricePoint, ...]:
    """The points at which the price became another."""
    return tuple(next(same) for _, same in groupby(points, key=lambda point: point.usd_per_hour))


def _in_force(offer_ids: list[str], since: datetime) -> Select[str, Decimal | None]:
    """The price of each offer at `since`: one index step each."""
    usd = (
        select(PriceObservations.usd_per_hour)
        .where(PriceObservations.offer_id == Offers.id, PriceObservations.observed_at <= since)
        .order_by(PriceObservations.observed_at.desc(), PriceObservations.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(Offers.id, usd).where(Offers.id.in_(offer_ids))


def _later(offer_ids: list[str], since: datetime) -> Select[str, datetime, Decimal]:
    """The observations of these offers after `since`, oldest first."""
    return (
        select(PriceObservations.offer_id, PriceObservations.observed_at, PriceObservations.usd_per_hour)
        .where(PriceObservations.offer_id.in_(offer_ids), PriceObservations.observed_at > since)
        .order_by(PriceObservations.observed_at, PriceObservations.id)
    )


def _changes(known: Mapping[str, Offer], offers: Iterable[Offer]) -> tuple[dict[str, Offer], list[Offer]]:
    """What is believed of each of `offers` in the end, old news left out; and each change on the way."""
    latest: dict[str, Offer] = {}
    changes = []
    for offer in sorted(offers, key=lambda offer: (offer.id, offer.observed_at)):
        before = latest.get(offer.id) or known.get(offer.id)
        if before is not None and offer.observed_at < before.observed_at:
            continue
        latest[offer.id] = offer
        if before is None or _counted(before) != _counted(offer):
            changes.append(offer)
    return latest, changes


def _counted(offer: Offer) -> tuple[Decimal, int, str]:
    """What makes an observation when it changes."""
    return offer.usd_per_hour, offer.obtainable, offer.confidence


def _moved(before: Offer, after: Offer) -> bool:
    """Anything but the time of the last confirmation."""
    return replace(before, observed_at=after.observed_at) != after


def _confirm(session: Session, offers: Iterable[Offer]) -> None:
    """Moves the last confirmation: a few statements, however many offers."""
    by_time: dict[datetime, list[str]] = defaultdict(list)
    for offer in offers:
        by_time[offer.observed_at].append(offer.id)
    for at, ids in by_time.items():
        for some in _in_batches(ids):
            session.execute(update(Offers).where(Offers.id.in_(some)).values(last_observed_at=at))


def _recorded(session: Session, wanted: ColumnElement[bool] | None = None) -> list[Offer]:
    """Every offer ever seen, as last believed; only the `wanted` ones where that is given."""
    rows = session.execute(
        select(
            Offers.provider,
            Offers.region,
            Offers.zone,
            Offers.instance_type,
            Offers.gpu,
            Offers.gpu_count,
            Offers.market,
            Offers.usd_per_hour,
            Offers.obtainable,
            Offers.hazard_per_hour,
            Offers.source,
            Offers.last_observed_at.label("observed_at"),
            Offers.confidence,
        ).where(true() if wanted is None else wanted)
    )
    return [Offer(**row) for row in rows.mappings()]


def _row(offer: Offer) -> dict[str, Any]:
    return {
        "id": offer.id,
        "provider": offer.provider,
        "region": offer.region,
        "zone": offer.zone,
        "instance_type": offer.instance_type,
        "gpu": offer.gpu,
        "gpu_count": offer.gpu_count,
        "market": offer.market,
        "last_observed_at": offer.observed_at,
        "usd_per_hour": offer.usd_per_hour,
        "obtainable": offer.obtainable,
        "hazard_per_hour": offer.hazard_per_hour,
        "source": offer.source,
        "confidence": offer.confidence,
    }


def _observation(offer: Offer, now: datetime, effective_at: datetime | None) -> dict[str, Any]:
    return {
        "offer_id": offer.id,
        "usd_per_hour": offer.usd_per_hour,
        "obtainable": offer.obtainable,
        "hazard_per_hour": offer.hazard_per_hour,
        "source": offer.source,
        "confidence": offer.confidence,
        "observed_at": offer.observed_at,
        "recorded_at": now,
        "effective_at": effective_at,
    }


def _in_batches(ids: list[str]) -> Iterable[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))
