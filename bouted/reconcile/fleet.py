"""The fleet as the store knows it: nodes (money) and replicas (routing), never mixed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.market.offers import Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.planned import Template
from bouted.reconcile.states import (
    NODE_LIVE,
    NODE_PAID,
    REPLICA_LIVE,
    NodeStatus,
    Reason,
    ReplicaStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One rented instance, or a group of equal ones.

    `name` is derived from the deployment, the slot and the incarnation, so a retry finds what a crash
    left behind. `offer` holds the price believed now. `launcher` names the plug-in that owns it.
    `instance_id` is what the provider calls it, "" until known; `leaves_at` is when it takes it back, None
    unless it said so.
    """

    name: str
    slot: str
    incarnation: int
    plan_id: str
    offer: Offer
    template: Template
    launcher: str
    status: NodeStatus
    reason: Reason
    since: datetime
    launched_at: datetime | None
    note: str = ""
    instance_id: str = ""
    leaves_at: datetime | None = None

    @property
    def usd_per_hour(self) -> Decimal:
        """What all its instances cost, at the price believed now."""
        return self.offer.usd_per_hour * self.template.instances

    @property
    def live(self) -> bool:
        """Not ended."""
        return self.status in NODE_LIVE

    @property
    def paid(self) -> bool:
        """May cost money now."""
        return self.status in NODE_PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What an engine's start brought to its machine: 0 GiB when all was there or another start brought it.
    The seconds are of the whole step, with waiting for that other one."""

    gib: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One engine on a node. `position` is its place in the node's template, `incarnation` counts restarts.

    `endpoint` is the base URL once known, `version` the engine's own, "" until known; `fetched` is None until
    known, and where the launcher cannot tell.
    """

    name: str
    node: str
    position: int
    incarnation: int
    shape: ReplicaShape
    status: ReplicaStatus
    reason: Reason
    since: datetime
    endpoint: str = ""
    note: str = ""
    version: str = ""
    fetched: Fetched | None = None

    @property
    def live(self) -> bool:
        """Not ended."""
        return self.status in REPLICA_LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row of a node, or of a replica on `node`, that may be live but cannot be read. It is left as it is.

    `usd_per_hour` is what the ledger says it costs now.
    """

    name: str
    node: str
    why: str
    hint: str
    usd_per_hour: Decimal

    @property
    def is_node(self) -> bool:
        """The row is a node's."""
        return self.name == self.node


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState:
    """All nodes and replicas that are live or recently ended, each sorted by name.

    `incarnations` holds the highest incarnation ever used per slot, as (slot, number) pairs. What is
    `unreadable` is neither started nor stopped, and counts as known and as paid.
    """

    nodes: tuple[Node, ...]
    replicas: tuple[Replica, ...]
    incarnations: tuple[tuple[str, int], ...]
    unreadable: tuple[Unreadable, ...] = ()

    def replicas_on(self, node: str) -> tuple[Replica, ...]:
        """Replicas of one node, in name order."""
        return tuple(replica for replica in self.replicas if replica.node == node)

    def committed_usd_per_hour(self) -> Decimal:
        """What is or may be paid now, at the prices believed now; what cannot be read, at the ledger's."""
        known = sum((node.usd_per_hour for node in self.nodes if node.paid), Decimal(0))
        return known + sum((row.usd_per_hour for row in self.unreadable), Decimal(0))
