"""A fleet in memory: actions happen to it, time passes, machines are lost. For tests of the pure core."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bouted.catalog.precision import Precision
from bouted.market.offers import Confidence, Market, Offer
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.planner.planned import PlannedNode, Template
from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import (
    Action,
    DrainReplica,
    LaunchNode,
    Limits,
    RecutNode,
    StartReplica,
    StopNode,
    StopReplica,
)
from bouted.reconcile.diff import diff
from bouted.reconcile.disruption import Disruption
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.order import order
from bouted.reconcile.standing import Decision, Standing
from bouted.reconcile.states import (
    NodeStatus,
    Reason,
    ReplicaStatus,
    require_node_move,
    require_replica_move,
)

START = datetime(2026, 11, 1, tzinfo=UTC)


def an_offer(
    provider: str = "aws",
    *,
    gpu: str = "L4",
    gpu_count: int = 1,
    usd_per_hour: str = "1.00",
    market: Market = Market.SPOT,
    obtainable: int = 8,
    region: str = "us-east-1",
) -> Offer:
    """An offer with the fields a test cares about."""
    return Offer(
        provider=provider,
        region=region,
        zone="",
        instance_type=f"{gpu_count}x{gpu}",
        gpu=gpu,
        gpu_count=gpu_count,
        market=market,
        usd_per_hour=Decimal(usd_per_hour),
        obtainable=obtainable,
        hazard_per_hour=0.0,
        source="test",
        observed_at=START,
        confidence=Confidence.HIGH,
    )


def a_template(gpu: str, gpu_count: int, **replicas: int) -> Template:
    """A cut with `model=count` replicas, each on an equal share of the GPUs."""
    tp = max(1, gpu_count // max(1, sum(replicas.values())))
    shapes = tuple(
        ReplicaShape(model=model, gpu=gpu, tp=tp, pp=1, precision=Precision.BF16, engine=Engine.VLLM)
        for model, count in sorted(replicas.items())
        for _ in range(count)
    )
    return Template(gpu=gpu, gpu_count=gpu_count, replicas=shapes)


def planned(offer: Offer, count: int = 1, **replicas: int) -> tuple[PlannedNode, ...]:
    """`count` equal nodes of an offer, cut as `model=count`."""
    template = a_template(offer.gpu, offer.gpu_count, **replicas)
    return tuple(PlannedNode(offer=offer, template=template, ordinal=n) for n in range(count))


def limits(cap: str = "100", surge: str = "100", **changes: Any) -> Limits:
    """Generous limits, but for what a test names."""
    return replace(
        Limits(
            cap_usd_per_hour=Decimal(cap),
            surge_usd_per_hour=Decimal(surge),
            drain_s=30.0,
            launch_timeout_s=600.0,
            ready_timeout_s=600.0,
            max_launches=16,
            max_stop_pct=100.0,
            disruption=Disruption(max_drains=1000),
        ),
        **changes,
    )


def must_serve(**least: int) -> tuple[ModelRules, ...]:
    """Rules that allow every place and demand `model=replicas`."""
    return tuple(
        ModelRules(name=model, clouds=(), regions=(), min_replicas=count) for model, count in least.items()
    )


def standing(**known: Any) -> Standing:
    """The surroundings of deployment `t`, but for what a test names."""
    return replace(Standing(deployment="t", launcher="memory", plan_id="p"), **known)


@dataclass(slots=True)
class FleetWorld:
    """Rows that change as actions are done to them. Every write is checked against the transition tables."""

    limits: Limits
    standing: Standing = field(default_factory=standing)
    now: datetime = START
    nodes: dict[str, Node] = field(default_factory=dict)
    replicas: dict[str, Replica] = field(default_factory=dict)
    peak_usd_per_hour: Decimal = Decimal(0)

    def fleet(self) -> FleetState:
        """The rows as the reconciler reads them."""
        incarnations: dict[str, int] = {}
        for node in self.nodes.values():
            incarnations[node.slot] = max(incarnations.get(node.slot, 0), node.incarnation)
        return FleetState(
            nodes=tuple(self.nodes[name] for name in sorted(self.nodes)),
            replicas=tuple(self.replicas[name] for name in sorted(self.replicas)),
            incarnations=tuple(sorted(incarnations.items())),
        )

    def decide(self, wanted: tuple[PlannedNode, ...]) -> tuple[Action, ...]:
        """What the reconciler would do now."""
        return self.decision(wanted).actions

    def decision(self, wanted: tuple[PlannedNode, ...]) -> Decision:
        """The same, with what waits."""
        fleet = self.fleet()
        idle = frozenset(r.name for r in self.replicas.values() if r.status is ReplicaStatus.DRAINING)
        changes = diff(wanted, fleet, self.standing.launcher)
        return order(changes, fleet, self.limits, self.now, replace(self.standing, idle=idle))

    def do(self, action: Action) -> None:
        """Carry out one action; launches and starts are under way until `settle`."""
        match action:
            case LaunchNode(node=node):
                self.nodes.setdefault(node.name, node)
                if self.nodes[node.name].status is NodeStatus.PLANNED:
                    self._node(node.name, NodeStatus.LAUNCHING)
            case RecutNode(node=node, planned=planned):
                self.nodes[node.name] = replace(self.nodes[node.name], template=planned.template)
            case StartReplica(replica=replica):
                self.replicas.setdefault(replica.name, replica)
                self._replica(replica.name, ReplicaStatus.STARTING)
            case DrainReplica(replica=replica):
                self._replica(replica.name, ReplicaStatus.DRAINING)
            case StopReplica(replica=replica):
                self._replica(replica.name, ReplicaStatus.STOPPED)
            case StopNode(node=node):
                if self.nodes[node.name].status not in (NodeStatus.STOPPING, NodeStatus.PLANNED):
                    self._node(node.name, NodeStatus.STOPPING)
                self._node(node.name, NodeStatus.GONE)
        self.peak_usd_per_hour = max(self.peak_usd_per_hour, self.fleet().committed_usd_per_hour())

    def settle(self) -> None:
        """A minute passes: what was launching is up, what was starting is ready."""
        self.now += timedelta(seconds=60)
        for node in list(self.nodes.values()):
            if node.status is NodeStatus.LAUNCHING:
                self._node(node.name, NodeStatus.UP)
        for replica in list(self.replicas.values()):
            if replica.status is ReplicaStatus.STARTING:
                self._replica(replica.name, ReplicaStatus.READY)

    def lose(self, name: str) -> None:
        """A node vanishes with everything on it."""
        self._node(name, NodeStatus.FAILED, Reason.LOST)
        for replica in list(self.replicas.values()):
            if replica.node == name and replica.live:
                self._replica(replica.name, ReplicaStatus.FAILED, Reason.NODE_ENDED)

    def notice(self, name: str, left_s: float = 120.0) -> None:
        """A node's provider says when it takes it back."""
        self.nodes[name] = replace(self.nodes[name], leaves_at=self.now + timedelta(seconds=left_s))

    def kill(self, name: str) -> None:
        """A replica's process dies."""
        self._replica(name, ReplicaStatus.FAILED, Reason.LOST)

    def converge(self, wanted: tuple[PlannedNode, ...], passes: int = 50) -> None:
        """Decide and do until there is nothing to do; AssertionError if that never comes."""
        for _ in range(passes):
            self.settle()
            actions = self.decide(wanted)
            for action in actions:
                self.do(action)
            if not actions:
                return
        raise AssertionError(f"still acting after {passes} passes")

    def ready(self, model: str) -> int:
        """Replicas of a model that serve."""
        return sum(r.shape.model == model and r.status is ReplicaStatus.READY for r in self.replicas.values())

    def _node(self, name: str, status: NodeStatus, reason: Reason = Reason.PLAN) -> None:
        require_node_move(self.nodes[name].status, status)
        self.nodes[name] = replace(self.nodes[name], status=status, reason=reason, since=self.now)

    def _replica(self, name: str, status: ReplicaStatus, reason: Reason = Reason.PLAN) -> None:
        require_replica_move(self.replicas[name].status, status)
        self.replicas[name] = replace(self.replicas[name], status=status, reason=reason, since=self.now)
