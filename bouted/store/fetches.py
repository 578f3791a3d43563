"""How many GiB starts fetched here, and how fast."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import inf
from statistics import median
from typing import TypeGuard

from sqlalchemy import select

from bouted.catalog.precision import Precision
from bouted.perf.shapes import ReplicaShape
from bouted.store.session import Store
from bouted.store.tables import Replicas

NEWEST = 60
LEAST_GIB = 0.01
"""What is smaller says nothing about how fast weights come."""


def usual_gib(store: Store) -> Mapping[tuple[str, Precision], float]:
    """GiB that a node fetched for a model in a precision, the median over the newest; those that were told.

    What the engines of one model on one node fetched is added up: only the first of them fetches, and one
    that starts again goes on where it was cut off.
    """
    with store.reading() as session:
        rows = session.execute(
            select(Replicas.node, Replicas.shape, Replicas.fetched_gib)
            .where(Replicas.fetched_gib.is_not(None))
            .order_by(Replicas.since.desc(), Replicas.name)
            .limit(NEWEST)
        ).all()
    brought: dict[tuple[str, Precision], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for node, shape, gib in rows:
        if isinstance(shape, ReplicaShape) and is_count(gib):
            brought[shape.model, shape.precision][node] += gib
    return {kind: median(nodes.values()) for kind, nodes in brought.items()}


def rates_h(fetches: Iterable[tuple[object, object]]) -> list[float]:
    """Hours for each GiB, of those (GiB, seconds) that brought enough to tell."""
    return [
        seconds / gib / 3600
        for gib, seconds in fetches
        if is_count(gib) and is_count(seconds) and gib >= LEAST_GIB
    ]


def is_count(value: object) -> TypeGuard[float]:
    """A number that somebody may have measured; rows may have been edited by hand."""
    return isinstance(value, float) and 0 <= value < inf
