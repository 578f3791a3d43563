"""Latency profiles, cached by the hash of everything they were computed from."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bouted.store.session import Store
from bouted.store.tables import Profiles
from bouted.store.upsert import insert_into

KEPT = timedelta(days=60)
"""How long a profile that nobody uses is kept."""

_CHUNK = 500
_NOTED = timedelta(days=1)  # use is noted once a day: looking profiles up must not write each time


def get_profiles(store: Store, hashes: Iterable[str], now: datetime) -> dict[str, bytes]:
    """The profiles that are cached, by hash; those that are not are left out. Notes that they were used."""
    wanted = sorted(set(hashes))
    found: dict[str, bytes] = {}
    stale: list[str] = []
    with store.reading() as session:
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            for row in session.scalars(select(Profiles).where(Profiles.hash.in_(chunk))):
                found[row.hash] = row.body
                if now - row.used_at > _NOTED:
                    stale.append(row.hash)
    if stale:
        with store.writing() as session:
            _note_use(session, stale, now)
    return found


def put_profiles(store: Store, profiles: Mapping[str, bytes], now: datetime) -> None:
    """Caches these profiles by hash; those already there stay as they are. Drops what was long unused."""
    if not profiles:
        return
    rows = [{"hash": name, "body": body, "used_at": now} for name, body in sorted(profiles.items())]
    with store.writing() as session:
        session.execute(insert_into(session, Profiles).on_conflict_do_nothing(), rows)
        session.execute(delete(Profiles).where(Profiles.used_at < now - KEPT))


def _note_use(session: Session, hashes: list[str], now: datetime) -> None:
    for start in range(0, len(hashes), _CHUNK):
        chunk = hashes[start : start + _CHUNK]
        session.execute(update(Profiles).where(Profiles.hash.in_(chunk)).values(used_at=now))
