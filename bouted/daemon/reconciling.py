"""One pass of the reconciler: look, write what changed, steer the gateways, act."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bouted.clock import Clock
from bouted.daemon.health import HealthProber
from bouted.errors import BoutedError
from bouted.gateway.publish import read_table, write_table
from bouted.gateway.table import RouteTable
from bouted.perf.costs import StepCosts
from bouted.perf.shapes import ReplicaShape
from bouted.planner.plan import Plan
from bouted.planner.problem import ModelRules
from bouted.quality.route_split import RouteSplit
from bouted.reconcile.actions import Action, ChangeSet, Limits, Outcome, StopNode, StopReplica
from bouted.reconcile.diff import diff
from bouted.reconcile.execute import Context, Executor
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.launcher import Launcher, Seen
from bouted.reconcile.observe import Health, Observation, observe
from bouted.reconcile.order import order
from bouted.reconcile.routes import route_table, same_routing, split_in_force
from bouted.reconcile.states import ReplicaStatus
from bouted.store.control import load_control
from bouted.store.fleet import load_fleet, move_node, move_replica
from bouted.store.open import Store
from bouted.store.plans import desired_plan

log = logging.getLogger(__name__)

ACTION_WAIT_S = 0.5
DRAIN_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass saw and did."""

    fleet: FleetState
    seen: Seen
    health: tuple[Health, ...]
    plan: Plan | None
    changes: ChangeSet
    outcomes: tuple[Outcome, ...]
    unknown: tuple[str, ...]


@dataclass(slots=True)
class Reconciler:
    """Drives the fleet towards the desired plan, one pass at a time."""

    store: Store
    launcher: Launcher
    launcher_name: str
    deployment: str
    executor: Executor
    prober: HealthProber
    clock: Clock
    routes_path: Path
    limits: Callable[[], Limits]
    rules: Callable[[], tuple[ModelRules, ...]]
    table: RouteTable | None = field(default=None)

    async def run_pass(self) -> Pass:
        """Observe, publish routes, then act unless paused."""
        seen = await asyncio.to_thread(self.launcher.seen)
        health = await self.prober.probe(seen)
        observation = self._observe(seen, health)
        control = load_control(self.store)
        plan = desired_plan(self.store)
        wanted = () if plan is None or control.down_requested else plan.design.nodes
        fleet = load_fleet(self.store, self.clock.now())
        if plan is not None:
            self._publish(plan, fleet)
        changes = diff(wanted, fleet)
        actions: tuple[Action, ...] = _stray_actions(observation)
        if not control.paused or control.down_requested:
            actions += self._decide(changes, fleet, plan, health, observation.unseen)
        outcomes = await self._act(actions, plan)
        fleet = load_fleet(self.store, self.clock.now())
        return Pass(
            fleet=fleet,
            seen=seen,
            health=health,
            plan=plan,
            changes=diff(wanted, fleet),
            outcomes=outcomes,
            unknown=observation.unknown,
        )

    def _observe(self, seen: Seen, health: tuple[Health, ...]) -> Observation:
        """Write every move the evidence supports."""
        now = self.clock.now()
        observation = observe(load_fleet(self.store, now), seen, health, self.limits(), now)
        for node in observation.nodes:
            move_node(
                self.store,
                node.name,
                node.status,
                node.reason,
                now,
                launched_at=node.launched_at,
                note=node.note,
            )
        for move in observation.replicas:
            move_replica(
                self.store,
                move.name,
                move.status,
                move.reason,
                now,
                endpoint=move.endpoint,
                note=move.note,
            )
        return observation

    def _publish(self, plan: Plan, fleet: FleetState) -> None:
        """Give the gateways a new table when it would steer differently."""
        if self.table is None:
            self.table = _last_table(self.routes_path)
        previous = self.table.split if self.table is not None else None
        split = split_in_force(plan, previous, fleet)
        table = route_table(
            plan,
            split,
            fleet,
            version=self.table.version + 1 if self.table is not None else 1,
            now=self.clock.now(),
            scorer_file=scorer_file(split),
        )
        if self.table is None or not same_routing(self.table, table):
            write_table(self.routes_path, table)
            self.table = table

    def _decide(
        self,
        changes: ChangeSet,
        fleet: FleetState,
        plan: Plan | None,
        health: tuple[Health, ...],
        unseen: frozenset[str],
    ) -> tuple[Action, ...]:
        return order(
            changes,
            fleet,
            self.limits(),
            self.clock.now(),
            deployment=self.deployment,
            launcher=self.launcher_name,
            plan_id=plan.id if plan is not None else "",
            idle=self._idle(fleet, health),
            unseen=unseen,
        )

    def _idle(self, fleet: FleetState, health: tuple[Health, ...]) -> frozenset[str]:
        """Draining replicas that run nothing, once the gateways have had time to see the table."""
        now = self.clock.now()
        settled = {
            replica.name
            for replica in fleet.replicas
            if replica.status is ReplicaStatus.DRAINING
            and (now - replica.since).total_seconds() >= DRAIN_SETTLE_S
        }
        return frozenset(
            h.replica for h in health if h.ok and h.running + h.waiting == 0 and h.replica in settled
        )

    async def _act(self, actions: tuple[Action, ...], plan: Plan | None) -> tuple[Outcome, ...]:
        context = Context(
            plan_id=plan.id if plan is not None else "",
            limits=self.limits(),
            rules=self.rules(),
            costs_of=_costs_of(plan),
        )
        outcomes = await self.executor.carry_out(actions, context, wait_s=ACTION_WAIT_S)
        for outcome in outcomes:
            if not outcome.ok:
                log.warning("%s %s: %s", outcome.action, outcome.subject, outcome.detail)
        return outcomes


def scorer_file(split: RouteSplit) -> str:
    """Name, in the state folder, of the file of the router that the split's rules belong to."""
    return f"scorer-{split.scorer_hash[:12]}.json"


def _stray_actions(observation: Observation) -> tuple[Action, ...]:
    """End what still runs although its row has ended."""
    return (
        *(StopReplica(replica=replica) for replica in observation.stray_replicas),
        *(StopNode(node=node) for node in observation.stray_nodes),
    )


def _last_table(path: Path) -> RouteTable | None:
    try:
        return read_table(path)
    except (BoutedError, OSError):
        return None


def _costs_of(plan: Plan | None) -> Callable[[ReplicaShape], StepCosts]:
    known = {item.shape.id: item.costs for item in plan.shapes} if plan is not None else {}
    return lambda shape: known[shape.id]
