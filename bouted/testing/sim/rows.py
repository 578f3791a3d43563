"""The store's rows as an onlooker reads them: past the daemon, straight from the file."""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from bouted.reconcile.states import NODE_LIVE, NODE_PAID, REPLICA_LIVE, NodeStatus, ReplicaStatus

_NODE: dict[str, NodeStatus] = {status.value: status for status in NodeStatus}
_REPLICA: dict[str, ReplicaStatus] = {status.value: status for status in ReplicaStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node."""

    name: str
    slot: str
    status: NodeStatus
    reason: str
    offer_id: str
    usd_per_hour: Decimal
    launcher: str
    places: int

    @property
    def live(self) -> bool:
        """Not ended."""
        return self.status in NODE_LIVE

    @property
    def paid(self) -> bool:
        """May cost money."""
        return self.status in NODE_PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRow:
    """One replica."""

    name: str
    node: str
    position: int
    model: str
    status: ReplicaStatus
    reason: str

    @property
    def live(self) -> bool:
        """Not ended."""
        return self.status in REPLICA_LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All nodes and replicas at one commit, by name."""

    nodes: dict[str, NodeRow]
    replicas: dict[str, ReplicaRow]
    desired: str | None
    paused: bool
    token: int

    def on(self, node: str) -> tuple[ReplicaRow, ...]:
        """The live replicas of a node."""
        return tuple(r for r in self.replicas.values() if r.node == node and r.live)

    def committed(self, without: Collection[str] = ()) -> Decimal:
        """Dollars an hour that are or may be paid, but for some nodes'."""
        counted = (node for node in self.nodes.values() if node.paid and node.name not in without)
        return sum((node.usd_per_hour for node in counted), Decimal(0))

    def ready(self, model: str) -> int:
        """Replicas of a model that serve."""
        return sum(r.model == model and r.status is ReplicaStatus.READY for r in self.replicas.values())

    def keeps_a_floor(self, node: str, floors: Mapping[str, int]) -> bool:
        """Whether a model would serve below its floor without this node."""
        serving = Counter(r.model for r in self.on(node) if r.status is ReplicaStatus.READY)
        return any(self.ready(model) - count < floors[model] for model, count in serving.items())


NOTHING = Rows(nodes={}, replicas={}, desired=None, paused=False, token=0)


class Onlooker:
    """Reads the rows, whenever asked."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)

    def rows(self) -> Rows:
        """What is committed now."""
        one = self._db.execute
        control = one("SELECT desired_plan_id, paused FROM control").fetchone() or (None, False)
        token = one("SELECT max(token) FROM leases").fetchone()[0] or 0
        nodes = one("SELECT name, slot, status, reason, offer, template, launcher FROM nodes ORDER BY name")
        replicas = one("SELECT name, node, position, shape, status, reason FROM replicas ORDER BY name")
        return Rows(
            nodes={row[0]: _node(*row) for row in nodes},
            replicas={row[0]: _replica(*row) for row in replicas},
            desired=control[0],
            paused=bool(control[1]),
            token=int(token),
        )

    def slots_of(self, plan_id: str) -> tuple[str, ...]:
        """The slots that a plan wants filled."""
        body = self._db.execute("SELECT body FROM plans WHERE id = ?", (plan_id,)).fetchone()[0]
        return _slots(body)

    def close(self) -> None:
        """Look no more."""
        self._db.close()


@lru_cache(maxsize=4096)
def _node(
    name: str, slot: str, status: str, reason: str, offer: str, template: str, launcher: str
) -> NodeRow:
    terms, cut = json.loads(offer), json.loads(template)
    return NodeRow(
        name=name,
        slot=slot,
        status=_NODE[status],
        reason=reason,
        offer_id=slot.split("#")[0],
        usd_per_hour=Decimal(terms["usd_per_hour"]) * int(cut.get("instances", 1)),
        launcher=launcher,
        places=len(cut["replicas"]),
    )


@lru_cache(maxsize=4096)
def _replica(name: str, node: str, position: int, shape: str, status: str, reason: str) -> ReplicaRow:
    return ReplicaRow(
        name=name,
        node=node,
        position=position,
        model=json.loads(shape)["model"],
        status=_REPLICA[status],
        reason=reason,
    )


@lru_cache(maxsize=256)
def _slots(body: str) -> tuple[str, ...]:
    from bouted.codec import parse
    from bouted.planner.plan import Plan

    return tuple(node.slot for node in parse(Plan, body).design.nodes)
