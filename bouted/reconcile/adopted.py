"""Endpoints that somebody else runs: queries go to them, they cost money, nobody here starts or stops them.

Such a node exists for as long as its row says so. Pure.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.launcher import Seen, SeenNode, SeenReplica
from bouted.reconcile.states import NodeStatus, ReplicaStatus

ADOPTED = "adopted"
"""The launcher of such nodes."""

_LISTED = frozenset({ReplicaStatus.STARTING, ReplicaStatus.WARMING, ReplicaStatus.DRAINING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an engine answers, and what it calls its model there: "" where that is our own name.

    In a row both are one URL, `http://host:8000#name`, as a fragment names a thing within a place.
    """

    base_url: str
    served_model: str = ""

    @classmethod
    def parse(cls, endpoint: str) -> "Address":
        """The address that a row's `endpoint` holds."""
        base_url, _, served_model = endpoint.partition("#")
        return cls(base_url=base_url, served_model=served_model)

    def __str__(self) -> str:
        return f"{self.base_url}#{self.served_model}" if self.served_model else self.base_url


def is_adopted(node: Node) -> bool:
    """Somebody else runs it."""
    return node.launcher == ADOPTED


def adopted_usd_per_hour(fleet: FleetState) -> Decimal:
    """What such nodes cost: it counts against the caps, and no plan can change it."""
    return sum((node.usd_per_hour for node in fleet.nodes if is_adopted(node) and node.paid), Decimal(0))


def with_adopted(seen: Seen, fleet: FleetState) -> Seen:
    """What the launcher lists, and the adopted endpoints."""
    adopted = {node.name for node in fleet.nodes if is_adopted(node) and node.live}
    listed = {node.name for node in seen.nodes}
    nodes = tuple(
        SeenNode(name=name, up=True, started_at=None) for name in sorted(adopted) if name not in listed
    )
    engines = {replica.name for replica in seen.replicas}
    replicas = tuple(
        _engine(r) for r in fleet.replicas if r.live and r.node in adopted and r.name not in engines
    )
    return replace(seen, nodes=seen.nodes + nodes, replicas=seen.replicas + replicas)


def with_unlisted(seen: Seen, fleet: FleetState) -> Seen:
    """`seen`, and the engines that rows know the address of but the list lacks: whether they answer tells a
    list that is stale from an engine that is gone."""
    listed = {replica.name for replica in seen.replicas}
    known = tuple(_engine(r) for r in fleet.replicas if r.live and r.endpoint and r.name not in listed)
    return replace(seen, replicas=seen.replicas + known)


def remembered(fleet: FleetState) -> Seen:
    """What should be running as the rows say, for when the launcher cannot be asked."""
    running = [node for node in fleet.nodes if node.paid]
    return Seen(
        nodes=tuple(
            SeenNode(name=node.name, up=node.status is NodeStatus.UP, started_at=None) for node in running
        ),
        replicas=tuple(_engine(r) for r in fleet.replicas if r.live and (r.endpoint or r.status in _LISTED)),
    )


def _engine(replica: Replica) -> SeenReplica:
    return SeenReplica(
        name=replica.name, node=replica.node, endpoint=Address.parse(replica.endpoint).base_url
    )
