"""What the reconciler wants done: first as a set of differences, then as ordered actions."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.planner.planned import PlannedNode
from bouted.reconcile.fleet import Node, Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on acting, from the config.

    No action may take committed $/h over `cap_usd_per_hour + surge_usd_per_hour`. A drain ends after
    `drain_s`. A node that is not up after `launch_timeout_s`, or a replica that is not ready after
    `ready_timeout_s`, has failed. At most `max_launches` nodes are launching at once.
    """

    cap_usd_per_hour: Decimal
    surge_usd_per_hour: Decimal
    drain_s: float
    launch_timeout_s: float
    ready_timeout_s: float
    max_launches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """How the fleet differs from the plan.

    keep: nodes that match a slot of the plan. launch: slots with no node. surplus: live nodes the plan
    does not want. start: (node, position) of kept nodes that lack a replica. ready: kept replicas
    that serve now.
    """

    keep: tuple[Node, ...]
    launch: tuple[PlannedNode, ...]
    surplus: tuple[Node, ...]
    start: tuple[tuple[Node, int], ...]
    ready: tuple[Replica, ...]

    @property
    def empty(self) -> bool:
        """Nothing to change."""
        return not (self.launch or self.surplus or self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchNode:
    """Rent this instance. `node` is the intent, in status PLANNED."""

    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReplica:
    """Start an engine on a node that is up. `replica` is the intent, in status PLANNED."""

    replica: Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReplica:
    """Take the replica out of the route table; running streams finish."""

    replica: Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReplica:
    """End the engine: it has drained, or its deadline passed."""

    replica: Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNode:
    """Give the instance back: none of its replicas is live."""

    node: Node


Action = LaunchNode | StartReplica | DrainReplica | StopReplica | StopNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an action came to. `retry_at` is set when the same action should be tried again then."""

    action: str
    subject: str
    ok: bool
    detail: str
    retry_at: datetime | None = None
