"""What the reconciler wants done: first as a set of differences, then as ordered actions."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from bouted.perf.shapes import ReplicaShape
from bouted.planner.planned import PlannedNode
from bouted.reconcile.disruption import Disruption
from bouted.reconcile.fleet import Node, Replica
from bouted.reconcile.states import Reason


class OnBreach(StrEnum):
    """What shedding may take when the fleet costs more than it may: all but the serving floor, or all."""

    KEEP_FLOOR = "keep_floor"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on acting, from the config.

    No action may take committed $/h over `cap_usd_per_hour + surge_usd_per_hour`, nor the month's dollars
    over `cap_usd_per_month` (None: no such cap). A drain ends after `drain_s`. A node that is not up after
    `launch_timeout_s`, or a replica that is not ready after `ready_timeout_s`, has failed; what has not ended
    `stop_timeout_s` after it was asked to, which a drain is after `drain_s`, needs attention. At most
    `max_launches` nodes are launching at once, and no model has more than `max_surge_replicas` replicas over
    what is planned because of a launch (None: dollars alone count). No pass stops more than `max_stop_pct`
    percent of what serves.
    """

    cap_usd_per_hour: Decimal
    surge_usd_per_hour: Decimal
    drain_s: float
    launch_timeout_s: float
    ready_timeout_s: float
    max_launches: int
    cap_usd_per_month: Decimal | None = None
    stop_timeout_s: float = 600.0
    max_surge_replicas: int | None = None
    max_stop_pct: float = 50.0
    on_breach: OnBreach = OnBreach.KEEP_FLOOR
    disruption: Disruption = field(default_factory=Disruption)

    @property
    def most_usd_per_hour(self) -> Decimal:
        """What may be committed while old and new run side by side."""
        return self.cap_usd_per_hour + self.surge_usd_per_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place on a node that is up without an engine of `shape`: empty, or held by one that must go first.

    `intent` was written and not carried out.
    """

    node: Node
    position: int
    shape: ReplicaShape
    intent: Replica | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recut:
    """A node that the plan has another use for: the same machine, cut differently.

    `leaving` are the replicas there or on their way that have no place in the new cut, `lacking` the places
    of the new cut that none stands in.
    """

    node: Node
    planned: PlannedNode
    leaving: tuple[Replica, ...]
    lacking: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """How the fleet differs from the plan.

    keep: nodes that are as the plan wants one. launch: wanted nodes that there are none for, those that
    replace what failed too. recut: nodes to be cut differently in place. surplus: live nodes the plan does
    not want. start: places of kept nodes that lack a replica. extra: replicas on kept nodes that the node's
    cut has no place for. ready: replicas that serve now and that the plan wants. foreign: nodes that this
    launcher did not start, which are left alone. attention: nodes whose evidence cannot be; they are paid
    for and do not count as there. leaving: nodes that their provider takes back; what they are for is wanted
    elsewhere. behind: names of replicas that run another version of their engine than a start would bring.
    """

    keep: tuple[Node, ...]
    launch: tuple[PlannedNode, ...]
    recut: tuple[Recut, ...] = ()
    surplus: tuple[Node, ...]
    start: tuple[Place, ...]
    extra: tuple[Replica, ...] = ()
    ready: tuple[Replica, ...]
    foreign: tuple[Node, ...] = ()
    attention: tuple[Node, ...] = ()
    leaving: tuple[Node, ...] = ()
    behind: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Nothing to change."""
        unwanted = self.surplus or self.extra or self.leaving
        return not (self.launch or self.recut or self.start or unwanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchNode:
    """Rent this instance. `node` is the intent, in status PLANNED."""

    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class RecutNode:
    """Write that the node is cut as the plan wants; its engines follow, one by one."""

    node: Node
    planned: PlannedNode


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReplica:
    """Start an engine on a node that is up. `replica` is the intent, in status PLANNED."""

    replica: Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReplica:
    """Take the replica out of the route table; running streams finish."""

    replica: Replica
    reason: Reason = Reason.SUPERSEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReplica:
    """End the engine: it has drained, or its deadline passed."""

    replica: Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNode:
    """Give the instance back: none of its replicas is live."""

    node: Node
    reason: Reason = Reason.SUPERSEDED


Action = LaunchNode | RecutNode | StartReplica | DrainReplica | StopReplica | StopNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an action came to. `retry_at` is set when the same action should be tried again then."""

    action: str
    subject: str
    ok: bool
    detail: str
    retry_at: datetime | None = None
