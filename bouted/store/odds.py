"""Odds of offers, kept across restarts, and learned from what the fleet goes through."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bouted.market.odds import Odds, granted, lost, refused, survived
from bouted.reconcile.fleet import FleetState, Node
from bouted.reconcile.states import NodeStatus
from bouted.store.fleet_rows import node_value
from bouted.store.outcomes import Counted, Lessons, odds_from_fleet
from bouted.store.session import Store
from bouted.store.tables import Nodes, NodesCounted, OfferOdds


def learn(store: Store, fleet: FleetState, now: datetime) -> int:
    """Takes in what the fleet went through since the last call; returns how many offers' odds changed.

    An outcome counts once, whatever crashes in between: that it was counted is written with the odds. Nodes
    that ended while nobody looked are counted too. Writes nothing when there is nothing new.
    """
    with store.reading() as session:
        lessons = _lessons(session, fleet, now)
    if not lessons.odds and not lessons.counted:
        return 0
    with store.writing() as session:
        lessons = _lessons(session, fleet, now)
        _write(session, lessons.odds)
        for name, done in lessons.counted.items():
            session.merge(
                NodesCounted(node=name, launch=done.launch, hours_to=done.hours_to, ended=done.ended)
            )
    return len(lessons.odds)


def load_odds(store: Store) -> dict[str, Odds]:
    """The odds of every offer that was lived with, by id."""
    with store.reading() as session:
        return _odds(session)


def save_odds(store: Store, odds: Mapping[str, Odds]) -> None:
    """Writes these odds, over what was there for the same offers."""
    with store.writing() as session:
        _write(session, odds)


def note_launch(store: Store, offer_id: str, now: datetime, *, came: bool) -> None:
    """A launch that the fleet's rows do not tell of came, or was refused."""
    _note(store, offer_id, lambda odds: (granted if came else refused)(odds, now))


def note_loss(store: Store, offer_id: str, now: datetime) -> None:
    """A machine was taken that the fleet's rows do not tell of."""
    _note(store, offer_id, lambda odds: lost(odds, now))


def note_hours(store: Store, offer_id: str, hours: float, now: datetime) -> None:
    """So many hours were lived through that the fleet's rows do not tell of."""
    _note(store, offer_id, lambda odds: survived(odds, hours, now))


def _note(store: Store, offer_id: str, add: Callable[[Odds | None], Odds]) -> None:
    with store.writing() as session:
        row = session.get(OfferOdds, offer_id, with_for_update=True)
        _write(session, {offer_id: add(None if row is None else _value(row))})


def _lessons(session: Session, fleet: FleetState, now: datetime) -> Lessons:
    """What the fleet's nodes teach, and those that ended uncounted before its picture begins."""
    names = [node.name for node in fleet.nodes]
    finished = select(NodesCounted.node).where(NodesCounted.ended.is_(True))
    missed = session.scalars(
        select(Nodes).where(
            Nodes.status.in_((NodeStatus.GONE, NodeStatus.FAILED)),
            Nodes.name.not_in(finished),
            Nodes.name.not_in(names),
        )
    )
    ended = (node_value(row) for row in missed)
    nodes = (*fleet.nodes, *(node for node in ended if isinstance(node, Node)))
    wanted = select(NodesCounted).where(NodesCounted.node.in_([node.name for node in nodes]))
    counted = {
        row.node: Counted(launch=row.launch, hours_to=row.hours_to, ended=row.ended)
        for row in session.scalars(wanted)
    }
    return odds_from_fleet(_odds(session), counted, nodes, now)


def _odds(session: Session) -> dict[str, Odds]:
    rows = session.scalars(select(OfferOdds).order_by(OfferOdds.offer_id))
    return {row.offer_id: _value(row) for row in rows}


def _value(row: OfferOdds) -> Odds:
    return Odds(
        as_of=row.as_of,
        hours=row.hours,
        losses=row.losses,
        granted=row.granted,
        refused=row.refused,
        refused_in_row=row.refused_in_row,
        refused_at=row.refused_at,
    )


def _write(session: Session, odds: Mapping[str, Odds]) -> None:
    for offer_id, one in odds.items():
        session.merge(
            OfferOdds(
                offer_id=offer_id,
                as_of=one.as_of,
                hours=one.hours,
                losses=one.losses,
                granted=one.granted,
                refused=one.refused,
                refused_in_row=one.refused_in_row,
                refused_at=one.refused_at,
            )
        )
