"""The names of nodes and replicas, for people who type them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select

from bouted.reconcile.adopted import ADOPTED
from bouted.store.fleet_rows import node_may_live, replica_may_live
from bouted.store.session import Store
from bouted.store.tables import Nodes, Replicas

REMEMBERED = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A replica and its node, or a node by itself: its own name is then the node's."""

    name: str
    node: str
    live: bool
    adopted: bool

    @property
    def is_node(self) -> bool:
        """It is a node."""
        return self.name == self.node


def read_names(store: Store, now: datetime) -> tuple[Named, ...]:
    """Every node and replica that lives or ended within REMEMBERED, by name. Nothing else of their rows is
    read, so one that makes no sense has a name, too."""
    cutoff = now - REMEMBERED
    nodes = select(Nodes.name, Nodes.name, Nodes.launcher, node_may_live()).where(
        or_(node_may_live(), Nodes.ended_at >= cutoff)
    )
    replicas = (
        select(Replicas.name, Replicas.node, Nodes.launcher, replica_may_live())
        .join(Nodes, Nodes.name == Replicas.node)
        .where(or_(replica_may_live(), Replicas.since >= cutoff))
    )
    with store.reading() as session:
        rows = [*session.execute(nodes), *session.execute(replicas)]
    found = [
        Named(name=name, node=node, live=bool(live), adopted=launcher == ADOPTED)
        for name, node, launcher, live in rows
    ]
    return tuple(sorted(found, key=lambda named: named.name))
