"""Nodes of any age, by name, and those of late: what a sweep holds a provider's list against."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import or_, select

from bouted.market.offers import Offer
from bouted.reconcile.fleet import Node
from bouted.reconcile.launcher import KnownNode
from bouted.store.fleet_rows import node_value
from bouted.store.session import Store
from bouted.store.tables import Nodes

_BATCH = 500  # names per query


def nodes_named(store: Store, names: Iterable[str]) -> tuple[tuple[Node, ...], frozenset[str]]:
    """The nodes of these names, and the names whose rows cannot be read."""
    found: list[Node] = []
    wanted = sorted(names)
    unreadable: set[str] = set()
    with store.reading() as session:
        for start in range(0, len(wanted), _BATCH):
            some = wanted[start : start + _BATCH]
            for row in session.scalars(select(Nodes).where(Nodes.name.in_(some)).order_by(Nodes.name)):
                value = node_value(row)
                if isinstance(value, Node):
                    found.append(value)
                else:
                    unreadable.add(value.name)
    return tuple(found), frozenset(unreadable)


def known_since(store: Store, since: datetime) -> tuple[KnownNode, ...]:
    """The nodes that live, or did at `since` or later."""
    there = or_(Nodes.ended_at.is_(None), Nodes.ended_at >= since)
    asked = select(Nodes.name, Nodes.offer, Nodes.instance_id).where(there).order_by(Nodes.name)
    with store.reading() as session:
        rows = session.execute(asked).all()
    return tuple(
        KnownNode(name=name, offer=offer, instance_id=str(instance_id or ""))
        for name, offer, instance_id in rows
        if isinstance(offer, Offer)
    )
