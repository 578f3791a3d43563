"""Reads the fleet, whatever somebody wrote into its rows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.orm import Session

from bouted.reconcile.fleet import FleetState, Node, Replica, Unreadable
from bouted.reconcile.half_dead import with_half_dead
from bouted.reconcile.states import NODE_LIVE, REPLICA_LIVE
from bouted.store.fleet_rows import (
    node_may_live,
    node_status,
    node_value,
    replica_may_live,
    replica_status,
    replica_value,
)
from bouted.store.legible import Garbled
from bouted.store.notices import Instance, leaving_in
from bouted.store.session import Store
from bouted.store.spend import read_accounts
from bouted.store.tables import Nodes, Replicas, SpendAccounts

RECENT = timedelta(hours=1)
"""How long what has ended stays in the fleet's picture."""

# Asked several times a second: built once.
_NODES = select(Nodes).where(or_(node_may_live(), Nodes.ended_at >= bindparam("cutoff"))).order_by(Nodes.name)
_REPLICAS = (
    select(Replicas)
    .where(
        or_(
            replica_may_live(),
            Replicas.since >= bindparam("cutoff"),
            Replicas.node.in_(select(Nodes.name).where(node_may_live())),
        )
    )
    .order_by(Replicas.name)
)
_HIGHEST = select(Nodes.slot, func.max(Nodes.incarnation)).group_by(Nodes.slot).order_by(Nodes.slot)


def load_fleet(store: Store, now: datetime) -> FleetState:
    """All that is live or ended within the last hour, and the latest replica at each place of a live node.

    A row that makes no sense never hides the others: it needs attention, or is `unreadable`. Incarnations
    are counted over every node there is a row of.
    """
    with store.reading() as session:
        return fleet_in(session, now)


def fleet_in(session: Session, now: datetime) -> FleetState:
    """The same, inside a transaction."""
    cutoff = now - RECENT
    nodes, bad_nodes = _nodes(session, cutoff)
    nodes = _with_notices(nodes, leaving_in(session, now))
    replicas, bad_replicas = _replicas(session, cutoff)
    return FleetState(
        nodes=nodes,
        replicas=with_half_dead(
            replicas, {node.name: node for node in nodes}, frozenset(row.name for row in bad_nodes)
        ),
        incarnations=_incarnations(session),
        unreadable=_priced(session, bad_nodes) + bad_replicas,
    )


def _nodes(session: Session, cutoff: datetime) -> tuple[tuple[Node, ...], tuple[Unreadable, ...]]:
    nodes, unreadable = [], []
    for row in session.scalars(_NODES, {"cutoff": cutoff}):
        value = node_value(row)
        if isinstance(value, Node):
            nodes.append(value)
        elif node_status(row)[0] in NODE_LIVE:
            unreadable.append(value)
    return tuple(nodes), tuple(unreadable)


def _with_notices(nodes: tuple[Node, ...], leaving: Mapping[Instance, datetime]) -> tuple[Node, ...]:
    """The live ones that a notice names say when they go."""
    return tuple(_with_notice(node, leaving) for node in nodes) if leaving else nodes


def _with_notice(node: Node, leaving: Mapping[Instance, datetime]) -> Node:
    known_as = ((node.offer.provider, name) for name in (node.instance_id, node.name) if name)
    leaves_at = next((leaving[key] for key in known_as if key in leaving), None)
    return replace(node, leaves_at=leaves_at) if leaves_at is not None and node.live else node


def _replicas(session: Session, cutoff: datetime) -> tuple[list[Replica], tuple[Unreadable, ...]]:
    """Live and recent replicas, and the last of each place on a live node: its number must not be reused."""
    replicas, unreadable = [], []
    for row in session.scalars(_REPLICAS, {"cutoff": cutoff}):
        value = replica_value(row)
        if isinstance(value, Unreadable):
            unreadable += [value] if replica_status(row)[0] in REPLICA_LIVE else []
        else:
            replicas.append((value, value.live or value.since >= cutoff))
    last = _last_in_place(value for value, _ in replicas)
    kept = [value for value, current in replicas if current or last[value.node, value.position] is value]
    return kept, tuple(unreadable)


def _last_in_place(replicas: Iterable[Replica]) -> dict[tuple[str, int], Replica]:
    ordered = sorted(replicas, key=lambda replica: replica.incarnation)
    return {(replica.node, replica.position): replica for replica in ordered}


def _priced(session: Session, unreadable: tuple[Unreadable, ...]) -> tuple[Unreadable, ...]:
    """The nodes among what is unreadable, at the ledger's price."""
    if not unreadable:
        return ()
    named = SpendAccounts.node.in_([row.name for row in unreadable])
    still = named & SpendAccounts.noticed_end.is_(None)
    costs = {account.node: account.usd_per_hour_now for account in read_accounts(session, still)}
    return tuple(replace(row, usd_per_hour=costs.get(row.name, row.usd_per_hour)) for row in unreadable)


def _incarnations(session: Session) -> tuple[tuple[str, int], ...]:
    return tuple(
        (slot, _by_name(session, slot) if isinstance(number, Garbled) else int(number))
        for slot, number in session.execute(_HIGHEST)
    )


def _by_name(session: Session, slot: str) -> int:
    """The highest incarnation in the names of a slot's nodes, where a number cannot be read."""
    names = session.scalars(select(Nodes.name).where(Nodes.slot == slot))
    tails = (name.rpartition("-")[2] for name in names)
    return max((int(tail) for tail in tails if tail.isdecimal()), default=0)
