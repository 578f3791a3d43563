"""One pass of the reconciler: look, write what changed, steer the gateways, act."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from bouted.clock import Clock
from bouted.daemon.rollouts import Rollouts
from bouted.daemon.routing import Routing
from bouted.daemon.sight import Sight
from bouted.perf.costs import StepCosts
from bouted.perf.shapes import ReplicaShape
from bouted.planner.plan import Plan
from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import Action, ChangeSet, Limits, Outcome, StopNode, StopReplica
from bouted.reconcile.diff import diff
from bouted.reconcile.execute import Context, Executor
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.launcher import Seen
from bouted.reconcile.observe import Health, Observation
from bouted.reconcile.order import order
from bouted.reconcile.states import ReplicaStatus
from bouted.store.control import load_control
from bouted.store.fleet import load_fleet
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
    launcher_name: str
    deployment: str
    executor: Executor
    sight: Sight
    routing: Routing
    rollouts: Rollouts
    clock: Clock
    limits: Callable[[], Limits]
    rules: Callable[[], tuple[ModelRules, ...]]

    async def run_pass(self) -> Pass:
        """Observe, publish routes, then act unless paused."""
        look = await self.sight.look()
        control = load_control(self.store)
        plan = desired_plan(self.store)
        wanted = () if plan is None or control.down_requested else plan.design.nodes
        fleet = load_fleet(self.store, self.clock.now())
        if plan is not None:
            self.routing.publish(plan, fleet, self.rollouts.look(plan, fleet))
        changes = diff(wanted, fleet)
        actions: tuple[Action, ...] = _stray_actions(look.observation)
        if not control.paused or control.down_requested:
            actions += self._decide(changes, fleet, plan, look.health, look.observation.unseen)
        outcomes = await self._act(actions, plan)
        fleet = load_fleet(self.store, self.clock.now())
        return Pass(
            fleet=fleet,
            seen=look.seen,
            health=look.health,
            plan=plan,
            changes=diff(wanted, fleet),
            outcomes=outcomes,
            unknown=look.observation.unknown,
        )

    def _decide(
        self,
        changes: ChangeSet,
        fleet: FleetState,
        plan: Plan | None,
        health: tuple[Health, ...],
        unseen: frozenset[str],
    ) -> tuple[Action, ...]:
        counted = self.rollouts.state.counted
        return order(
            replace(changes, ready=tuple(r for r in changes.ready if r.name in counted)),
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


def _stray_actions(observation: Observation) -> tuple[Action, ...]:
    """End what still runs although its row has ended."""
    return (
        *(StopReplica(replica=replica) for replica in observation.stray_replicas),
        *(StopNode(node=node) for node in observation.stray_nodes),
    )


def _costs_of(plan: Plan | None) -> Callable[[ReplicaShape], StepCosts]:
    known = {item.shape.id: item.costs for item in plan.shapes} if plan is not None else {}
    return lambda shape: known[shape.id]
