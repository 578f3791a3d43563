"""Engines that did not start, one row per replica: the gate refuses such layouts from then on."""

from collections.abc import Mapping

from sqlalchemy import select

from bouted.perf.refused import RefusedStart
from bouted.store.session import Store
from bouted.store.tables import RefusedStarts


def load_refused_starts(store: Store) -> tuple[RefusedStart, ...]:
    """All of them, oldest first."""
    with store.reading() as session:
        rows = session.scalars(select(RefusedStarts).order_by(RefusedStarts.at, RefusedStarts.replica))
        return tuple(
            RefusedStart(
                model=row.model,
                gpu=row.gpu,
                tp=row.tp,
                pp=row.pp,
                precision=row.precision,
                engine=row.engine,
                kind=row.kind,
                at=row.at,
                detail=row.detail,
            )
            for row in rows
        )


def add_refused_starts(store: Store, starts: Mapping[str, RefusedStart]) -> int:
    """Keeps these, by the name of the replica that did not start; returns how many were new."""
    if not starts:
        return 0
    with store.writing() as session:
        have = select(RefusedStarts.replica).where(RefusedStarts.replica.in_(list(starts)))
        known = set(session.scalars(have))
        for replica in sorted(starts.keys() - known):
            start = starts[replica]
            session.add(
                RefusedStarts(
                    replica=replica,
                    model=start.model,
                    gpu=start.gpu,
                    tp=start.tp,
                    pp=start.pp,
                    precision=start.precision,
                    engine=start.engine,
                    kind=start.kind,
                    at=start.at,
                    detail=start.detail,
                )
            )
    return len(starts.keys() - known)
