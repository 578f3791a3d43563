"""Latency profiles, cached by the hash of everything they were computed from."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select

from bouted.store.session import Store
from bouted.store.tables import Profiles
from bouted.store.upsert import insert_into

_CHUNK = 500


def get_profiles(store: Store, hashes: Iterable[str]) -> dict[str, bytes]:
    """The profiles that are cached, by hash; those that are not are left out."""
    wanted = sorted(set(hashes))
    found: dict[str, bytes] = {}
    with store.reading() as session:
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            rows = session.execute(select(Profiles.hash, Profiles.body).where(Profiles.hash.in_(chunk)))
            found.update((name, body) for name, body in rows)
    return found


def put_profiles(store: Store, profiles: Mapping[str, bytes]) -> None:
    """Caches these profiles by hash; those already there stay as they are."""
    if not profiles:
        return
    rows = [{"hash": name, "body": body} for name, body in sorted(profiles.items())]
    with store.writing() as session:
        session.execute(insert_into(session, Profiles).on_conflict_do_nothing(), rows)
