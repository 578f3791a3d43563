"""Nodes of any age, by name: what a sweep holds a provider's list against."""

from collections.abc import Iterable

from sqlalchemy import select

from bouted.reconcile.fleet import Node
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
