"""One active daemon: a lease row with a fencing token that only grows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from bouted.errors import AlreadyRunning
from bouted.store.names import DAEMON_LEASE
from bouted.store.session import Store, held_by
from bouted.store.tables import Leases
from bouted.store.upsert import insert_into
from bouted.store.urls import sqlite_path

__all__ = [
    "DAEMON_LEASE",
    "LeaseInfo",
    "lease_holder",
    "lease_now",
    "release_lease",
    "renew_lease",
    "take_lease",
]

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """Who holds a lease, under which token, until when."""

    name: str
    holder: str
    token: int
    expires_at: datetime


def lease_now(store: Store, now: datetime) -> datetime:
    """The instant by which leases in this store are judged: its server's clock, so that hosts whose clocks
    disagree agree on who is active; `now`, this machine's clock, for a file."""
    if sqlite_path(store.url) is not None:
        return now
    with store.reading() as session:
        told: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return told.astimezone(UTC)


def take_lease(store: Store, name: str, holder: str, now: datetime, ttl_s: float) -> int:
    """Takes or keeps the lease until `now + ttl_s`; returns its fencing token.

    `holder` names one process, never two. The token grows whenever the holder changes.
    AlreadyRunning, naming the holder, while somebody else's lease has not expired.
    """
    with store.writing() as session:
        insert = insert_into(session, Leases).values(
            name=name, holder=holder, token=1, expires_at=now + timedelta(seconds=ttl_s)
        )
        token = session.scalar(
            insert.on_conflict_do_update(
                index_elements=[Leases.name],
                set_={
                    "holder": insert.excluded.holder,
                    "expires_at": insert.excluded.expires_at,
                    "token": Leases.token + case((Leases.holder != holder, 1), else_=0),
                },
                where=or_(Leases.holder == holder, Leases.expires_at <= now),
            ).returning(Leases.token)
        )
        if token is None:
            raise _held(session, name)
    return int(token)


def renew_lease(store: Store, name: str, holder: str, token: int, now: datetime, ttl_s: float) -> bool:
    """Extends a lease still held under this token; False when somebody else has taken it."""
    mine = update(Leases).where(Leases.name == name, Leases.holder == holder, Leases.token == token)
    with store.writing() as session:
        extended = mine.values(expires_at=now + timedelta(seconds=ttl_s)).returning(Leases.token)
        return session.scalar(extended) is not None


def release_lease(store: Store, name: str, holder: str, token: int) -> None:
    """Lets the lease go, if it is still held under this token; the token is never used again."""
    mine = update(Leases).where(Leases.name == name, Leases.holder == holder, Leases.token == token)
    with store.writing() as session:
        session.execute(mine.values(holder="", expires_at=_LONG_AGO))


def lease_holder(store: Store, name: str, now: datetime) -> LeaseInfo | None:
    """Who holds the lease at `now`; None when nobody does."""
    with store.reading() as session:
        row = session.scalar(select(Leases).where(Leases.name == name, Leases.expires_at > now))
        return None if row is None else _info(row)


def _held(session: Session, name: str) -> AlreadyRunning:
    return held_by(name, session.scalar(select(Leases.holder).where(Leases.name == name)) or "")


def _info(row: Leases) -> LeaseInfo:
    return LeaseInfo(name=row.name, holder=row.holder, token=row.token, expires_at=row.expires_at)
