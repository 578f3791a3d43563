"""The only place that acts. Load, work, write: no call to a launcher is made inside a transaction.

Each action runs once at a time per subject, in a thread, and is written down before and after. Intent
rows come before money; the guards look at fresh rows just before spending.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from bouted.clock import Clock
from bouted.errors import (
    AlreadyRunning,
    BudgetRefused,
    Gone,
    Misconfigured,
    NoCapacity,
    NotYet,
    QuotaExceeded,
    Retryable,
)
from bouted.perf.costs import StepCosts
from bouted.perf.shapes import ReplicaShape
from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import (
    Action,
    DrainReplica,
    LaunchNode,
    Limits,
    Outcome,
    RecutNode,
    StartReplica,
    StopNode,
    StopReplica,
)
from bouted.reconcile.backoff import LaunchWaits
from bouted.reconcile.fleet import Node, Replica
from bouted.reconcile.guards import refuse_launch, refuse_mass_stop
from bouted.reconcile.launcher import Launcher, NodeOrder, ReplicaOrder
from bouted.reconcile.patience import Patience, key_of
from bouted.reconcile.serving import Serving
from bouted.reconcile.states import ImpossibleMove, NodeStatus, Reason, ReplicaStatus
from bouted.store.actions import begin_action, finish_action
from bouted.store.fleet import add_node, add_replica, load_fleet, move_node, move_replica
from bouted.store.open import Store
from bouted.store.recut import recut_node
from bouted.threads import InThread

log = logging.getLogger(__name__)

RETRY_S = 2.0
LISTED_S = 30.0
"""How long a launch that was accepted may stay out of the launcher's list before it is asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What acting needs to know of the plan in force.

    `month_usd` is what this month has cost, asked for just before spending. `agreed`: an operator said yes
    to stopping much at once.
    """

    plan_id: str
    limits: Limits
    rules: tuple[ModelRules, ...]
    costs_of: Callable[[ReplicaShape], StepCosts]
    serving: Callable[[ReplicaShape], Serving]
    month_usd: Callable[[], Decimal]
    agreed: bool = False


@dataclass(slots=True)
class Executor:
    """Carries out actions against one launcher and writes what came of them."""

    store: Store
    launcher: Launcher
    clock: Clock
    in_thread: InThread = asyncio.to_thread
    running: dict[str, "asyncio.Task[Outcome]"] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    spending: threading.Lock = field(default_factory=threading.Lock)

    def busy(self) -> frozenset[str]:
        """Subjects with an action under way."""
        return frozenset(subject for subject, task in self.running.items() if not task.done())

    async def carry_out(
        self, actions: tuple[Action, ...], context: Context, *, wait_s: float
    ) -> tuple[Outcome, ...]:
        """Start every action whose subject is free and that need not wait; return what finished within
        `wait_s`.

        A list that would stop too much at once loses its drains and stops of nodes.
        """
        now, busy = self.clock.now(), self.busy()
        self.patience.keep({_key(action) for action in actions})
        for action in self._guarded(actions, context):
            subject = subject_of(action)
            if subject not in busy and not self.patience.waits(_key(action), now):
                busy |= {subject}
                self.running[subject] = asyncio.create_task(
                    self._perform_apart(action, context), name=f"{type(action).__name__} {subject}"
                )
        if not self.running:
            return ()
        await asyncio.wait(self.running.values(), timeout=wait_s)
        done = [task for _, task in sorted(self.running.items()) if task.done()]
        self.running = {s: task for s, task in self.running.items() if not task.done()}
        return tuple(self._noted(task) for task in done)

    def _noted(self, task: "asyncio.Task[Outcome]") -> Outcome:
        """What the action came to. A store that could not be written fails that action alone."""
        try:
            outcome = task.result()
        except Retryable as busy:
            kind, subject = task.get_name().split(" ", 1)
            outcome = Outcome(
                action=kind,
                subject=subject,
                ok=False,
                detail=str(busy),
                retry_at=self.clock.now() + timedelta(seconds=busy.after_s),
            )
        self._note(outcome)
        return outcome

    def _note(self, outcome: Outcome) -> None:
        """Whatever was put off waits; so does what was launched, while the launcher's list may lag."""
        now = self.clock.now()
        self.patience.note(outcome, now)
        if outcome.ok and outcome.action == LaunchNode.__name__:
            self.patience.rest(key_of(outcome.action, outcome.subject), now, LISTED_S)

    def _guarded(self, actions: tuple[Action, ...], context: Context) -> tuple[Action, ...]:
        if context.agreed or not any(isinstance(action, DrainReplica | StopNode) for action in actions):
            return actions
        refusal = refuse_mass_stop(actions, load_fleet(self.store, self.clock.now()), context.limits)
        if refusal is None:
            return actions
        log.error("nothing is stopped in this pass: %s", refusal)
        return tuple(action for action in actions if not isinstance(action, DrainReplica | StopNode))

    async def _perform_apart(self, action: Action, context: Context) -> Outcome:
        return await self.in_thread(self.perform, action, context)

    async def settle(self) -> None:
        """Wait for everything under way to finish."""
        if self.running:
            await asyncio.wait(self.running.values())

    def perform(self, action: Action, context: Context) -> Outcome:
        """Do one action now, blocking; never raises for what the world does.

        The row that begins an action is a write under the daemon's lease: whoever was overtaken is refused
        here, just before the launcher is called. A process that dies meanwhile leaves it as an intent.
        """
        kind, subject = type(action).__name__, subject_of(action)
        if isinstance(action, LaunchNode):
            add_node(self.store, action.node)
        if isinstance(action, StartReplica):
            add_replica(self.store, action.replica)
        row = begin_action(self.store, context.plan_id, kind, subject, self.clock.now())
        try:
            outcome = self._perform(action, context)
        except AlreadyRunning:
            raise
        except Exception as error:  # the loop's edge: a bug in a launcher must not end the daemon
            if not (isinstance(error, ImpossibleMove) and self._moved_meanwhile(action)):
                log.exception("%s %s failed", kind, subject)
            outcome = self._later(action, f"{type(error).__name__}: {error}", RETRY_S)
        finish_action(self.store, row, outcome.ok, outcome.detail, self.clock.now())
        return outcome

    def _perform(self, action: Action, context: Context) -> Outcome:
        try:
            match action:
                case LaunchNode():
                    self._launch(action.node, context)
                case RecutNode():
                    template, now = action.planned.template, self.clock.now()
                    recut_node(self.store, action.node.name, template, context.plan_id, now)
                case StartReplica():
                    self._start(action.replica, context)
                case DrainReplica():
                    self._move_replica(action.replica, ReplicaStatus.DRAINING, action.reason)
                case StopReplica():
                    self._stop_replica(action.replica)
                case StopNode():
                    self._stop_node(action.node, action.reason)
        except (NotYet, Gone) as wait:  # a node that is gone shows as such in the next pass
            return self._later(action, str(wait), RETRY_S)
        except Retryable as wait:
            return self._later(action, str(wait), wait.after_s)
        except (NoCapacity, QuotaExceeded, BudgetRefused, Misconfigured) as error:
            return self._failed(action, error)
        return self._outcome(action, True, "")

    def _moved_meanwhile(self, action: Action) -> bool:
        """Whether the row is not as it was decided on: what was observed while the launcher worked counts."""
        fleet = load_fleet(self.store, self.clock.now())
        if isinstance(action, StartReplica | DrainReplica | StopReplica):
            replica = action.replica
            return not any(r.name == replica.name and r.status is replica.status for r in fleet.replicas)
        node = action.node
        return not any(n.name == node.name and n.status is node.status for n in fleet.nodes)

    def _launch(self, node: Node, context: Context) -> None:
        with (
            self.spending
        ):  # looked at and committed in one step: two launches must not share the room for one
            now = self.clock.now()
            fleet = load_fleet(self.store, now)
            month_usd = context.month_usd()
            refusal = refuse_launch(node, fleet, context.limits, context.rules, month_usd, now)
            if refusal:
                raise BudgetRefused(refusal)
            if node.status is NodeStatus.PLANNED and LaunchWaits(fleet, now).offer(node.offer.id):
                raise NotYet(f"{node.offer.id} was refused a moment ago")
            move_node(self.store, node.name, NodeStatus.LAUNCHING, Reason.PLAN, now)
        self.launcher.launch(NodeOrder(name=node.name, offer=node.offer, instances=node.template.instances))

    def _start(self, replica: Replica, context: Context) -> None:
        serving = context.serving(replica.shape)
        order = ReplicaOrder(
            name=replica.name,
            node=replica.node,
            shape=replica.shape,
            served_model=serving.name,
            weights=serving.weights,
            flags=serving.flags,
            costs=context.costs_of(replica.shape),
        )
        self.launcher.start_replica(order)
        self._move_replica(replica, ReplicaStatus.STARTING, replica.reason)

    def _stop_replica(self, replica: Replica) -> None:
        with suppress(Gone):
            self.launcher.stop_replica(replica.name, replica.node)
        if replica.live:
            drained = replica.status is ReplicaStatus.DRAINING
            reason = Reason.DRAINED if drained else Reason.SUPERSEDED
            self._move_replica(replica, ReplicaStatus.STOPPED, reason)

    def _stop_node(self, node: Node, reason: Reason) -> None:
        now = self.clock.now()
        if node.status is NodeStatus.PLANNED:
            self.launcher.stop_node(node.name)
            move_node(self.store, node.name, NodeStatus.GONE, reason, now)
            return
        never_up = node.reason is Reason.NEVER_UP  # and stays so: a failed launch, to whoever makes the next
        status, why = (NodeStatus.FAILED, node.reason) if never_up else (NodeStatus.GONE, reason)
        note = node.note if never_up else ""
        if node.status not in (NodeStatus.STOPPING, NodeStatus.NEEDS_ATTENTION, NodeStatus.GONE):
            move_node(self.store, node.name, NodeStatus.STOPPING, why, now, note=note)
        with suppress(Gone):
            self.launcher.stop_node(node.name)
        if node.status is not NodeStatus.GONE:
            move_node(self.store, node.name, status, why, self.clock.now(), note=note)

    def _move_replica(self, replica: Replica, status: ReplicaStatus, reason: Reason) -> None:
        move_replica(self.store, replica.name, status, reason, self.clock.now())

    def _failed(self, action: Action, error: Exception) -> Outcome:
        """Write down that it cannot be: the node or replica ends, and planning is told why."""
        reason = {
            NoCapacity: Reason.NO_CAPACITY,
            QuotaExceeded: Reason.QUOTA,
            BudgetRefused: Reason.BUDGET,
        }.get(type(error), Reason.ERROR)
        now = self.clock.now()
        if isinstance(action, LaunchNode):
            if isinstance(error, BudgetRefused) and action.node.paid:
                return self._later(action, str(error), RETRY_S)  # asked for before: it may exist
            move_node(self.store, action.node.name, NodeStatus.FAILED, reason, now, note=str(error))
        if isinstance(action, StartReplica):
            move_replica(self.store, action.replica.name, ReplicaStatus.FAILED, reason, now, note=str(error))
        return self._outcome(action, False, str(error))

    def _later(self, action: Action, detail: str, after_s: float) -> Outcome:
        return Outcome(
            action=type(action).__name__,
            subject=subject_of(action),
            ok=False,
            detail=detail,
            retry_at=self.clock.now() + timedelta(seconds=after_s),
        )

    def _outcome(self, action: Action, ok: bool, detail: str) -> Outcome:
        return Outcome(action=type(action).__name__, subject=subject_of(action), ok=ok, detail=detail)


def subject_of(action: Action) -> str:
    """The node or replica that an action is about."""
    if isinstance(action, LaunchNode | RecutNode | StopNode):
        return action.node.name
    return action.replica.name


def _key(action: Action) -> str:
    return key_of(type(action).__name__, subject_of(action))
