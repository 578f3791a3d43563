"""What clouds' own bills came to against the ledger: the newest word on each cloud."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bouted.events import Event, EventKind, Severity
from bouted.ledger.bills import Billed
from bouted.store.events import add_to
from bouted.store.session import Store
from bouted.store.tables import BilledFactors

_FACTORS = select(BilledFactors.provider, BilledFactors.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFactor:
    """What a cloud bills for each dollar quoted, by its newest bill, and over how much that was found."""

    provider: str
    factor: Decimal
    hours: float
    until: datetime
    read_at: datetime


def save_billed(store: Store, billed: tuple[Billed, ...], now: datetime) -> None:
    """Remembers what bills said, and tells it as events; a bill older than the one known changes nothing."""
    with store.writing() as session:
        for one in billed:
            row = session.get(BilledFactors, one.provider, with_for_update=True)
            if row is not None and row.until > one.until:
                continue
            session.merge(
                BilledFactors(
                    provider=one.provider,
                    factor=one.factor,
                    billed_usd=one.billed_usd,
                    ledger_usd=one.ledger_usd,
                    nodes=one.nodes,
                    hours=one.hours,
                    since=one.since,
                    until=one.until,
                    read_at=now,
                )
            )
            add_to(session, _told(one, now))


def billed_factors(store: Store) -> tuple[KnownFactor, ...]:
    """What is known, by the clouds' names."""
    with store.reading() as session:
        return tuple(
            KnownFactor(
                provider=row.provider,
                factor=row.factor,
                hours=row.hours,
                until=row.until,
                read_at=row.read_at,
            )
            for row in session.scalars(select(BilledFactors).order_by(BilledFactors.provider))
        )


def factors_by_cloud(store: Store) -> dict[str, Decimal]:
    """What each cloud bills for a dollar quoted, for those whose bill was read."""
    with store.reading() as session:
        return read_factors(session)


def read_factors(session: Session) -> dict[str, Decimal]:
    """The same within a transaction."""
    return {row.provider: row.factor for row in session.execute(_FACTORS)}


def _told(billed: Billed, now: datetime) -> Event:
    message = (
        f"{billed.provider} bills {billed.factor} times what is quoted, by its bill until "
        f"{billed.until:%Y-%m-%d} over {billed.hours:.0f} node-hours; plans count with that"
    )
    return Event(
        at=now, kind=EventKind.BILL_READ, severity=Severity.INFO, subject=billed.provider, message=message
    )
