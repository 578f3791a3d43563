"""How long starts took here: what planning takes for the cost of the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

from sqlalchemy import select, true

from bouted.reconcile.states import ReplicaStatus
from bouted.store.session import Store
from bouted.store.tables import Nodes, Replicas

NEWEST, FEWEST = 20, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualStart:
    """The median seconds from asking for a node to its first token; `count` nodes were measured."""

    seconds: float
    count: int


def usual_start(store: Store) -> UsualStart | None:
    """Of the newest starts; None while there are too few to go by.

    A node and an engine are measured apart, since an engine may start again on the same node.
    """
    over = ((Nodes, true()), (Replicas, Replicas.status != ReplicaStatus.WARMING))
    with store.reading() as session:
        nodes, engines = (
            session.scalars(
                select(table.took_s)
                .where(table.took_s.is_not(None), done)
                .order_by(table.since.desc(), table.name)
                .limit(NEWEST)
            ).all()
            for table, done in over
        )
    booted, loaded = _legible(nodes), _legible(engines)
    if min(len(booted), len(loaded)) < FEWEST:
        return None
    return UsualStart(seconds=median(booted) + median(loaded), count=len(booted))


def _legible(took: Sequence[object]) -> list[float]:
    """Rows may have been edited by hand."""
    return [seconds for seconds in took if isinstance(seconds, float) and 0 <= seconds < inf]
