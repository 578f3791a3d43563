"""What an offer cost before anybody counted it: for nodes that are found to have run for a while."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bouted.store.tables import PriceObservations


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPrice:
    """From `at` on the offer was quoted at this; that was heard at `heard_at`."""

    at: datetime
    usd_per_hour: Decimal
    heard_at: datetime


def past_prices(session: Session, offer_id: str, since: datetime) -> tuple[PastPrice, ...]:
    """The quotes of an offer by the time from which they held, oldest first; the first is the one in force at
    `since`, unless the offer had none yet."""
    seen = PriceObservations
    at = func.coalesce(seen.effective_at, seen.observed_at)
    asked = select(at, seen.usd_per_hour, seen.observed_at).where(seen.offer_id == offer_id)
    before = asked.where(at <= since).order_by(at.desc(), seen.id.desc()).limit(1)
    later = asked.where(at > since).order_by(at, seen.id)
    return tuple(
        PastPrice(at=when, usd_per_hour=usd, heard_at=heard_at)
        for when, usd, heard_at in (*session.execute(before), *session.execute(later))
    )
