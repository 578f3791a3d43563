"""What measurements taught about models on shapes, kept across restarts."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from bouted.perf.learn import Correction
from bouted.store.session import Store
from bouted.store.tables import Corrections


def load_corrections(store: Store) -> dict[str, Correction]:
    """Every correction, by the id of the shape under its catalog model's name."""
    with store.reading() as session:
        return {row.shape: row.body for row in session.scalars(select(Corrections))}


def save_corrections(store: Store, corrections: Mapping[str, Correction], now: datetime) -> None:
    """Writes these corrections, over what was there for the same shapes."""
    if not corrections:
        return
    with store.writing() as session:
        for shape, correction in sorted(corrections.items()):
            session.merge(Corrections(shape=shape, body=correction, updated_at=now))
