"""One pass of the reconciler: look, write what changed, steer the gateways, act."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bouted.clock import Clock
from bouted.daemon.explaining import Explainer
from bouted.daemon.rollouts import Rollouts
from bouted.daemon.routing import Routing
from bouted.daemon.sight import Look, Sight
from bouted.events import EventKind
from bouted.perf.costs import StepCosts
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.planner.plan import Plan
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import Action, ChangeSet, Limits, Outcome, StopNode, StopReplica
from bouted.reconcile.diff import diff
from bouted.reconcile.execute import Context, Executor
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.guards import prove_guards
from bouted.reconcile.launcher import Seen
from bouted.reconcile.observe import Health, Observation
from bouted.reconcile.order import order
from bouted.reconcile.serving import Serving
from bouted.reconcile.standing import Decision, Held, HeldBy, Standing
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.reconcile.unpublished import without_cuts
from bouted.reconcile.upgrade import nodes_behind, outdated, with_upgrade
from bouted.store.control import Control
from bouted.store.events import newest_event
from bouted.store.interrupted import close_interrupted
from bouted.store.open import Store
from bouted.store.snapshot import Snapshot, refreshed

log = logging.getLogger(__name__)

ACTION_WAIT_S = 0.5
DRAIN_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass saw and did; `held` is what waits, and for what, `rows` what it left in the store."""

    rows: Snapshot
    seen: Seen
    health: tuple[Health, ...]
    plan: Plan | None
    changes: ChangeSet
    outcomes: tuple[Outcome, ...]
    unknown: tuple[str, ...]
    held: tuple[Held, ...] = ()

    @property
    def fleet(self) -> FleetState:
        """The fleet after it."""
        return self.rows.fleet


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Drives the fleet towards the desired plan, one pass at a time.

    `month_usd` is what this month has cost so far. `prices` are those believed now, by offer: a launch
    counts at them, whatever the plan says. `versions` are those of the engines that a start would bring.
    """

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
    month_usd: Callable[[], Decimal]
    serving: Callable[[ReplicaShape], Serving]
    explainer: Explainer
    prices: Callable[[], Mapping[str, Decimal]] = dict
    versions: Callable[[], Mapping[Engine, str]] = dict
    begun: bool = field(default=False, init=False)

    def begin(self) -> None:
        """Close what a predecessor left open. Misconfigured when the guards do not hold."""
        prove_guards(self.limits())
        left = close_interrupted(self.store, self.clock.now())
        if left:
            log.warning("%d actions were interrupted when the last daemon died", left)
        self.begun = True

    async def run_pass(self) -> Pass:
        """Observe, publish routes, then act unless paused."""
        if not self.begun:
            self.begin()
        look = await self.sight.look()
        rows = refreshed(self.store, self.clock.now(), look.rows)
        plan, control, fleet = rows.plan, rows.control, rows.fleet
        wanted = () if plan is None or control.down_requested else plan.design.nodes
        if plan is not None:
            self.routing.publish(plan, fleet, self.rollouts.look(plan, fleet))
        changes = self._changes(wanted, fleet)
        decision = self._decide(changes, fleet, plan, control, look)
        decision = replace(decision, actions=(*_stray_actions(look.observation), *decision.actions))
        if not control.down_requested:  # what is to end altogether answers nobody, whatever gateways follow
            decision = self._without_cuts(decision, fleet)
        self.explainer.tell(decision.held)
        outcomes = await self._act(decision, plan, control)
        after = refreshed(self.store, self.clock.now(), rows)
        return Pass(
            rows=after,
            seen=look.seen,
            health=look.health,
            plan=plan,
            changes=changes if after is rows else self._changes(wanted, after.fleet),
            outcomes=outcomes,
            unknown=look.observation.unknown,
            held=decision.held,
        )

    def _changes(self, wanted: tuple[PlannedNode, ...], fleet: FleetState) -> ChangeSet:
        versions = self.versions()
        behind = outdated(fleet, versions)
        changes = replace(
            diff(wanted, fleet, self.launcher_name, nodes_behind(fleet, versions)), behind=behind
        )
        if not behind or self.limits().disruption.closed_because(self.clock.now()):
            return changes
        least = {rule.name: rule.min_replicas for rule in self.rules()}
        return with_upgrade(changes, wanted, fleet, least)

    def _decide(
        self, changes: ChangeSet, fleet: FleetState, plan: Plan | None, control: Control, look: Look
    ) -> Decision:
        """Nothing while paused. Nothing without a plan either: a lost plan must not empty the fleet."""
        if control.paused and not control.down_requested:
            return Decision()
        if plan is None and not control.down_requested:
            return _without_plan(changes)
        limits, now = self.limits(), self.clock.now()
        standing = self._standing(fleet, plan, control, look)
        if changes.launch or changes.recut or any(n.status is NodeStatus.PLANNED for n in changes.keep):
            standing = replace(standing, usd_per_hour=self.prices())
        decision = order(changes, fleet, limits, now, standing)
        if plan is not None and _waits_for_a_yes(decision) and self._agreed(plan):
            decision = order(changes, fleet, limits, now, replace(standing, agreed=True))
        return decision

    def _without_cuts(self, decision: Decision, fleet: FleetState) -> Decision:
        """The decision without what must wait for gateways that follow the present route table."""
        reached = self.routing.reached(fleet, self.limits().drain_s)
        decision = replace(decision, actions=without_cuts(decision.actions, fleet, reached))
        if not self.routing.trouble:
            return decision
        waits = Held(by=HeldBy.ROUTES, subject="", message=self.routing.trouble)
        return replace(decision, held=(*decision.held, waits))

    def _standing(self, fleet: FleetState, plan: Plan | None, control: Control, look: Look) -> Standing:
        monthly = self.limits().cap_usd_per_month is not None
        return Standing(
            deployment=self.deployment,
            launcher=self.launcher_name,
            plan_id=plan.id if plan is not None else "",
            rules=self.rules(),
            month_usd=self.month_usd() if monthly else Decimal(0),
            idle=self._idle(fleet, look.health),
            unseen=look.observation.unseen,
            still_running=frozenset(r.name for r in look.observation.stray_replicas),
            counted=self.rollouts.state.counted,
            down=control.down_requested,
        )

    def _agreed(self, plan: Plan) -> bool:
        """An operator said that this plan may stop much at once."""
        said = newest_event(self.store, (EventKind.AGREED,))
        return said is not None and said.subject == plan.id

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

    async def _act(self, decision: Decision, plan: Plan | None, control: Control) -> tuple[Outcome, ...]:
        monthly = self.limits().cap_usd_per_month is not None
        context = Context(
            plan_id=plan.id if plan is not None else "",
            limits=self.limits(),
            rules=self.rules(),
            costs_of=_costs_of(plan),
            serving=self.serving,
            month_usd=self.month_usd if monthly else lambda: Decimal(0),
            agreed=decision.agreed or control.down_requested,
        )
        outcomes = await self.executor.carry_out(decision.actions, context, wait_s=ACTION_WAIT_S)
        for outcome in outcomes:
            if not outcome.ok:
                log.warning("%s %s: %s", outcome.action, outcome.subject, outcome.detail)
        return outcomes


def _without_plan(changes: ChangeSet) -> Decision:
    """What runs goes on running until there is a plan, or a word from the operator."""
    left = len(changes.surplus)
    if not left:
        return Decision()
    nodes = "1 node runs" if left == 1 else f"{left} nodes run"
    held = Held(by=HeldBy.NO_PLAN, subject="", message=f"{nodes} and no plan is in force: nothing is changed")
    return Decision(held=(held,))


def _waits_for_a_yes(decision: Decision) -> bool:
    return any(held.by is HeldBy.MASS_STOP for held in decision.held)


def _stray_actions(observation: Observation) -> tuple[Action, ...]:
    """End what still runs although its row has ended."""
    return (
        *(StopReplica(replica=replica) for replica in observation.stray_replicas),
        *(StopNode(node=node) for node in observation.stray_nodes),
    )


def _costs_of(plan: Plan | None) -> Callable[[ReplicaShape], StepCosts]:
    known = {item.shape.id: item.costs for item in plan.shapes} if plan is not None else {}
    return lambda shape: known[shape.id]
