"""How long starts took here: what planning takes for the cost of the next one."""

from statistics import median

from sqlalchemy import select

from bouted.planner.terms import UsualStart
from bouted.reconcile.states import ReplicaStatus
from bouted.store.fetches import is_count, rates_h
from bouted.store.session import Store
from bouted.store.tables import Nodes, Replicas

NEWEST, FEWEST = 20, 3
HOUR_S = 3600.0


def usual_start(store: Store) -> UsualStart | None:
    """Of the newest starts; None while there are too few to go by.

    A node and an engine are measured apart, since an engine may start again on the same node. Fetching
    weights is told apart once enough starts fetched some.
    """
    with store.reading() as session:
        nodes = session.scalars(
            select(Nodes.took_s)
            .where(Nodes.took_s.is_not(None))
            .order_by(Nodes.since.desc(), Nodes.name)
            .limit(NEWEST)
        ).all()
        engines = session.execute(
            select(Replicas.took_s, Replicas.fetched_gib, Replicas.fetch_s)
            .where(Replicas.took_s.is_not(None), Replicas.status != ReplicaStatus.WARMING)
            .order_by(Replicas.since.desc(), Replicas.name)
            .limit(NEWEST)
        ).all()
    booted = [took_s for took_s in nodes if is_count(took_s)]
    loaded = [(took_s, gib, fetch_s) for took_s, gib, fetch_s in engines if is_count(took_s)]
    if min(len(booted), len(loaded)) < FEWEST:
        return None
    rates = rates_h((gib, fetch_s) for _, gib, fetch_s in loaded)
    apart = len(rates) >= FEWEST
    loads = [
        took_s - min(fetch_s, took_s) if apart and is_count(fetch_s) else took_s
        for took_s, _, fetch_s in loaded
    ]
    return UsualStart(
        hours=(median(booted) + median(loads)) / HOUR_S,
        starts=len(booted),
        fetch_h_per_gib=median(rates) if apart else 0.0,
        fetches=len(rates) if apart else 0,
    )
