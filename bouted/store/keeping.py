"""Lets go of what is old, in small transactions, so that years of a fleet stay small and quick to read.

Nothing that is live or in force is touched, nor the last incarnation of a slot or a place: names are made
from those numbers and must not come again.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store.session import Store
from bouted.store.tables import (
    Actions,
    Base,
    Control,
    Documents,
    Events,
    Nodes,
    NodesCounted,
    Notices,
    Offers,
    Plans,
    PriceObservations,
    Replicas,
    SpendAccounts,
    SpendCuts,
    SpendPrices,
    SpendTimes,
)
from bouted.store.trials import mend_trials

AT_ONCE = 500  # rows in one transaction
PAGES_AT_ONCE = 1000  # 4 MB
AHEAD = timedelta(minutes=1)
_NODE_ENDED = (NodeStatus.GONE, NodeStatus.FAILED)
_REPLICA_ENDED = (ReplicaStatus.STOPPED, ReplicaStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long what is kept. `journal` is for events, notices, actions, ended replicas, the documents behind
    old plans and every single step of prices; `history` for ended nodes with their money, plans and daily
    prices."""

    journal: timedelta
    history: timedelta


def let_go_old(store: Store, now: datetime, keep: Keep) -> int:
    """Deletes what is older, a few rows at a time; returns how many rows went."""
    journal, history = now - keep.journal, now - keep.history
    removed = _documents(store, journal)
    for step in (
        lambda session: _delete(session, Events, _oldest(Events, Events.at < journal)),
        lambda session: _delete(session, Actions, _oldest(Actions, Actions.at < journal)),
        lambda session: _notices(session, journal),
        lambda session: _replicas(session, journal),
        lambda session: _nodes(session, history),
        lambda session: _plans(session, history),
    ):
        removed += _until_done(store, step)
    return removed + _prices(store, journal, history)


def give_back(store: Store) -> None:
    """Gives free room in an SQLite file back to the disk, in small steps; a server does so by itself."""
    if store.engine.dialect.name != "sqlite":
        return
    with closing(store.engine.raw_connection()) as connection:
        raw = cast(sqlite3.Connection, connection.dbapi_connection)
        left = _free_pages(raw)
        while left:
            raw.executescript(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")
            before, left = left, _free_pages(raw)
            if left >= before:  # an older file, which cannot shrink
                return


def _free_pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def mend_future(store: Store, now: datetime) -> int:
    """After the clock was set back: what claims to have moved later than now moved now, so that its timeouts
    run again, and its trial goes on. Returns how many rows were ahead."""
    ahead = now + AHEAD
    with store.reading() as session:
        rows: list[tuple[type[Nodes] | type[Replicas], str]] = [
            (table, name)
            for table in (Nodes, Replicas)
            for name in session.scalars(select(table.name).where(table.since > ahead))
        ]
    if rows:
        with store.writing() as session:
            for table, name in rows:
                session.execute(update(table).where(table.name == name).values(since=now))
    return len(rows) + mend_trials(store, now, ahead)


def _until_done(store: Store, step: Callable[[Session], int]) -> int:
    total = 0
    while True:
        with store.writing() as session:
            removed = step(session)
        total += removed
        if removed == 0:
            return total


def _oldest(table: type[Events] | type[Actions], old: ColumnElement[bool]) -> Select[int]:
    return select(table.id).where(old).order_by(table.at).limit(AT_ONCE)


def _delete(session: Session, table: type[Base], keys: Select[Any]) -> int:
    found = session.scalars(keys).all()
    return _delete_named(session, table, next(iter(table.__table__.primary_key)), found)


def _delete_named(session: Session, table: type[Base], key: Any, values: Sequence[Any]) -> int:
    if values:
        session.execute(delete(table).where(key.in_(values)))
    return len(values)


def _notices(session: Session, before: datetime) -> int:
    old = session.scalars(select(Notices).where(Notices.leaves_at < before).limit(AT_ONCE)).all()
    for row in old:
        session.delete(row)
    return len(old)


def _replicas(session: Session, before: datetime) -> int:
    """Ended ones, but for the last in its place on a node that lives."""
    later = aliased(Replicas)
    has_heir = exists().where(
        later.node == Replicas.node,
        later.position == Replicas.position,
        later.incarnation > Replicas.incarnation,
    )
    on_ended = exists().where(Nodes.name == Replicas.node, Nodes.status.in_(_NODE_ENDED))
    old = select(Replicas.name).where(
        Replicas.status.in_(_REPLICA_ENDED), Replicas.since < before, or_(has_heir, on_ended)
    )
    return _delete(session, Replicas, old.limit(AT_ONCE))


def _documents(store: Store, before: datetime) -> int:
    """The problems and searches behind old plans, unless a plan that counts was made from the same."""
    with store.reading() as session:
        counting = or_(Plans.created_at >= before, Plans.id.in_(_wanted_plans(session)))
        kept, behind = _names(session, counting), _names(session, ~counting)
        here = set(session.scalars(select(Documents.hash)))
    spare = sorted((behind - kept) & here)
    for start in range(0, len(spare), AT_ONCE // 10):
        with store.writing() as session:
            _delete_named(session, Documents, Documents.hash, spare[start : start + AT_ONCE // 10])
    return len(spare)


def _names(session: Session, which: ColumnElement[bool]) -> set[str]:
    """The documents that these plans were made from."""
    found = session.execute(select(Plans.problem_hash, Plans.frontier_hash).where(which))
    return {name for pair in found for name in pair if name}


def _nodes(session: Session, before: datetime) -> int:
    """Ended ones with their money, but for the last in its slot."""
    later = aliased(Nodes)
    has_heir = exists().where(later.slot == Nodes.slot, later.incarnation > Nodes.incarnation)
    old = select(Nodes.name).where(Nodes.status.in_(_NODE_ENDED), Nodes.ended_at < before, has_heir)
    names = session.scalars(old.limit(AT_ONCE)).all()
    for table, column in (
        (Replicas, Replicas.node),
        (NodesCounted, NodesCounted.node),
        (SpendPrices, SpendPrices.node),
        (SpendTimes, SpendTimes.node),
        (SpendCuts, SpendCuts.node),
        (SpendAccounts, SpendAccounts.node),
    ):
        _delete_named(session, table, column, names)
    return _delete_named(session, Nodes, Nodes.name, names)


def _plans(session: Session, before: datetime) -> int:
    wanted = _wanted_plans(session)
    old = select(Plans.id).where(Plans.created_at < before, Plans.id.not_in(wanted))
    return _delete(session, Plans, old.limit(AT_ONCE))


def _wanted_plans(session: Session) -> list[str]:
    """Plans that count however old: in force, accepted, of a node that has not ended, and the newest."""
    control = session.get(Control, 1)
    wanted = {control.desired_plan_id, control.accepted_plan_id} if control else set()
    wanted |= set(session.scalars(select(Nodes.plan_id).where(Nodes.ended_at.is_(None))))
    wanted |= set(session.scalars(select(Plans.id).order_by(Plans.created_at.desc()).limit(1)))
    return [plan for plan in wanted if plan]


def _prices(store: Store, journal: datetime, history: datetime) -> int:
    """Of each offer's old prices the last of each day stays, and of the oldest the last: it was in force."""
    old = exists().where(PriceObservations.offer_id == Offers.id, PriceObservations.observed_at < journal)
    with store.reading() as session:
        offers = session.scalars(select(Offers.id).where(old).order_by(Offers.id)).all()
    removed = 0
    for offer in offers:
        for ids in _spare_prices(store, offer, journal, history):
            with store.writing() as session:
                removed += _delete_named(session, PriceObservations, PriceObservations.id, ids)
    return removed


def _spare_prices(store: Store, offer: str, journal: datetime, history: datetime) -> Iterator[list[int]]:
    seen = (
        select(PriceObservations.id, PriceObservations.observed_at)
        .where(PriceObservations.offer_id == offer, PriceObservations.observed_at < journal)
        .order_by(PriceObservations.observed_at, PriceObservations.id)
    )
    with store.reading() as session:
        rows = [(int(id), at) for id, at in session.execute(seen)]
    spare: list[int] = []
    for _, of_day in groupby(rows, key=lambda row: row[1].date() if row[1] >= history else None):
        ids = [id for id, _ in of_day]
        spare += ids[:-1]
    for start in range(0, len(spare), AT_ONCE):
        yield spare[start : start + AT_ONCE]
