"""Takes in what prices were before bouted looked, from clouds that keep a history."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from bouted.errors import Gone
from bouted.store.bulk import insert_rows
from bouted.store.prices import PricePoint
from bouted.store.session import Store
from bouted.store.tables import Offers, PriceObservations


def backfill(store: Store, offer_id: str, points: Iterable[PricePoint], *, source: str, now: datetime) -> int:
    """Adds past changes of an offer's price; returns how many were not known. Again, it adds none.

    Only what lies before the latest observation is taken: the present price is what was last recorded. Of
    obtainable count, odds and confidence the past says nothing: such a row repeats what is believed now.
    Gone when the offer was never recorded; ValueError for a price that is none.
    """
    past = sorted(points, key=lambda point: point.at)
    if any(not point.usd_per_hour.is_finite() or point.usd_per_hour <= 0 for point in past):
        raise ValueError(f"{offer_id}: every price of a history must be positive")
    with store.writing() as session:
        offer = session.get(Offers, offer_id)
        if offer is None:
            raise Gone(f"the store has no offer {offer_id}")
        seen = session.execute(
            select(PriceObservations.observed_at, PriceObservations.usd_per_hour)
            .where(PriceObservations.offer_id == offer_id)
            .order_by(PriceObservations.observed_at, PriceObservations.id)
        ).all()
        new = _unknown(past, [(at, usd) for at, usd in seen])
        insert_rows(session, PriceObservations, [_row(offer, point, source, now) for point in new])
    return len(new)


def _unknown(past: list[PricePoint], seen: list[tuple[datetime, Decimal]]) -> list[PricePoint]:
    """The points at which the price in force, as known so far, was another."""
    times = [at for at, _ in seen]
    new: list[PricePoint] = []
    for point in past:
        place = bisect_right(times, point.at)
        if place == len(times) or (place > 0 and times[place - 1] == point.at):
            continue  # the present, or an instant that was observed
        last = new[-1] if new else None
        if last is not None and (place == 0 or last.at >= times[place - 1]):
            in_force: Decimal | None = last.usd_per_hour
        else:
            in_force = seen[place - 1][1] if place else None
        if point.usd_per_hour != in_force:
            new.append(point)
    return new


def _row(offer: Offers, point: PricePoint, source: str, now: datetime) -> dict[str, Any]:
    return {
        "offer_id": offer.id,
        "usd_per_hour": point.usd_per_hour,
        "obtainable": offer.obtainable,
        "hazard_per_hour": offer.hazard_per_hour,
        "source": source,
        "confidence": offer.confidence,
        "observed_at": point.at,
        "recorded_at": now,
        "effective_at": point.at,
    }
