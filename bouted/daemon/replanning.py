"""Decides when to plan again, has it done, and does with the plan what the mode says."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bouted.clock import Clock
from bouted.config.change import planning_hash
from bouted.config.schema import Config, Mode
from bouted.daemon.planning import Made, PlanMaker
from bouted.errors import BoutedError, Infeasible, Misconfigured
from bouted.events import Event, EventKind, Severity
from bouted.market.offers import Offer
from bouted.planner.design import Progress
from bouted.planner.plan import Plan, PlanStatus, Trigger
from bouted.planner.situation import LoadShift, ReplanPolicy, ReplanReason, Situation
from bouted.reconcile.adopted import adopted_usd_per_hour
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.refusals import not_launching, sold_out
from bouted.reconcile.states import NodeStatus, Reason
from bouted.store.control import update_control
from bouted.store.events import add_events, newest_event
from bouted.store.fleet import load_fleet
from bouted.store.open import Store
from bouted.store.plans import PlanRow, desired_plan, let_go, list_plans, set_desired_plan
from bouted.store.snapshot import Snapshot, refreshed
from bouted.workload.profile import WorkloadProfile

log = logging.getLogger(__name__)

RETRY_FAILED_S = 30.0
FAILED = "planning failed: "
AFTER_ROLLBACK = (
    EventKind.PLAN_ROLLED_BACK,
    EventKind.PLAN_APPLIED,
    EventKind.PLAN_PROPOSED,
    EventKind.PLAN_HELD,
    EventKind.PLAN_FAILED,
)
"""The newest of these tells whether a rollback has been answered by planning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What planning reads, as of one instant."""

    config: Config
    offers: tuple[Offer, ...]
    workload: WorkloadProfile
    targets_met: bool | None


@dataclass(slots=True)
class Replanner:
    """Holds what the last plan was made for, and the planning under way, if any.

    `answered_for` is the plan in force for which it is known that no rollback waits for an answer,
    `failed_for` the hash of the config that planning failed with last. `proposed` is the newest plan where
    that was not applied: by the mode, or because a daemon died before it was.
    """

    store: Store
    maker: PlanMaker
    policy: Callable[[Config], ReplanPolicy]
    clock: Clock
    previous: Situation | None = None
    shift: LoadShift | None = None
    task: "asyncio.Task[None] | None" = None
    error: str = ""
    failure: BoutedError | None = None
    failed_at: float = 0.0
    failed_for: str = ""
    progress: Progress | None = None
    applied: Callable[[Plan | None, Plan], None] = field(default=lambda before, after: None)
    mode: Mode = Mode.ADVISE
    answered_for: str | None = ""
    hashed: tuple[Config, str] | None = None
    proposed: str = ""

    @property
    def planning(self) -> bool:
        """A plan is being made."""
        return self.task is not None and not self.task.done()

    def recall(self, config: Config) -> None:
        """After a restart: the situation of the newest plan, so that nothing is planned without a reason.

        A problem that this version cannot read is planned anew. A failure that no plan came after goes on.
        """
        found = self.maker.recall()
        newest = list_plans(self.store, 1)
        self._recall_failure(newest[0].plan.created_at if newest else None)
        self._recall_proposed(newest[0] if newest else None)
        if found is None:
            return
        plan, problem = found
        fleet = load_fleet(self.store, self.clock.now())
        self.previous = Situation(
            at=plan.created_at,
            config_hash=plan.config_hash,
            offers=problem.offers,
            held=tuple(node.offer.id for node in plan.design.nodes),
            rate_per_s=plan.rate_per_s,
            out_of_stock=tuple(sorted(sold_out(fleet))),
            not_launching=_not_launching(fleet),
            lost_nodes=_lost(fleet),
            adopted_usd_per_hour=problem.adopted_usd_per_hour,
        )

    def _recall_failure(self, planned_at: datetime | None) -> None:
        """So that a restart neither ends the incident nor opens it again."""
        told = newest_event(self.store, (EventKind.PLAN_FAILED, EventKind.PLAN_RECOVERED))
        if told is None or told.kind is EventKind.PLAN_RECOVERED:
            return
        if planned_at is None or planned_at < told.at:
            self.error = told.message.removeprefix(FAILED)

    def _recall_proposed(self, newest: PlanRow | None) -> None:
        """Unless another was put in force since."""
        if newest is None or newest.status is not PlanStatus.PROPOSED:
            return
        told = newest_event(self.store, (EventKind.PLAN_APPLIED, EventKind.PLAN_ROLLED_BACK))
        if told is None or told.at <= newest.plan.created_at:
            self.proposed = newest.plan.id

    def consider(self, beliefs: Beliefs, rows: Snapshot) -> None:
        """Start planning if there is a reason to and no plan is being made. `rows` are fresh."""
        self.mode = beliefs.config.mode
        self._accept(rows.control.accepted_plan_id)
        if self.planning or rows.control.down_requested:
            return
        self._let_go_unreadable(rows)
        rows = refreshed(self.store, self.clock.now(), rows)
        current = self._situation(beliefs, rows)
        reason = (
            self._rolled_back(rows.control.desired_plan_id)
            or self._not_applied(rows)
            or self.policy(beliefs.config).reason(self.previous, current, current.at)
        )
        if reason is None or self._too_soon_after_failure(current):
            return
        self._tell(EventKind.REPLAN, Severity.INFO, "", f"planning again: {reason.detail}")
        self.progress = Progress(stage="profiles", done=0, total=0, best_usd_per_hour=None, seconds=0.0)
        self.task = asyncio.create_task(self._plan(beliefs, current, reason))

    def _rolled_back(self, in_force: str | None) -> ReplanReason | None:
        """A plan was rolled back, and nothing has been planned since. It is looked up once a plan."""
        if in_force == self.answered_for:
            return None
        newest = newest_event(self.store, AFTER_ROLLBACK)
        if newest is None or newest.kind is not EventKind.PLAN_ROLLED_BACK:
            self.answered_for = in_force
            return None
        detail = f"plan {newest.subject} was rolled back"
        return ReplanReason(trigger=Trigger.ROLLBACK, detail=detail)

    def _not_applied(self, rows: Snapshot) -> ReplanReason | None:
        """Where bouted acts by itself, plans that were only proposed once are not enough."""
        known_impossible = isinstance(self.failure, Infeasible | Misconfigured)
        if self.mode is not Mode.APPLY or self.previous is None or known_impossible:
            return None
        if rows.plan is None:
            return ReplanReason(trigger=Trigger.FIRST, detail="no plan is in force")
        if self.proposed:
            return ReplanReason(trigger=Trigger.CONFIG, detail=f"plan {self.proposed} was never applied")
        return None

    def _let_go_unreadable(self, rows: Snapshot) -> None:
        """A plan in force that somebody's edit has spoilt is made anew; until then nothing is moved."""
        if rows.spoilt and rows.control.desired_plan_id is not None:
            let_go(self.store, rows.control.desired_plan_id)
            self.previous = None
            told = f"{rows.spoilt}; planning anew, what runs goes on"
            self._tell(EventKind.REPLAN, Severity.WARNING, "", told)

    def _too_soon_after_failure(self, current: Situation) -> bool:
        """An edit since then is planned for at once."""
        waited, same = current.at.timestamp() - self.failed_at, current.config_hash == self.failed_for
        return bool(self.error) and same and 0 <= waited < RETRY_FAILED_S

    def _situation(self, beliefs: Beliefs, rows: Snapshot) -> Situation:
        now, plan, fleet = self.clock.now(), rows.plan, rows.fleet
        load = beliefs.workload
        planned = self.previous.rate_per_s if self.previous is not None else load.rate_per_s
        self.shift = self.policy(beliefs.config).load_shift(
            planned, load.rate_low_per_s, load.rate_high_per_s, self.shift, now
        )
        return Situation(
            at=now,
            config_hash=self._hash_of(beliefs.config),
            offers=beliefs.offers,
            held=tuple(node.offer.id for node in plan.design.nodes) if plan is not None else (),
            rate_per_s=load.rate_per_s,
            load_shift=self.shift,
            out_of_stock=tuple(sorted(sold_out(fleet))),
            not_launching=_not_launching(fleet),
            lost_nodes=_lost(fleet),
            adopted_usd_per_hour=adopted_usd_per_hour(fleet),
            targets_met=beliefs.targets_met,
        )

    def _hash_of(self, config: Config) -> str:
        """Worked out once for each config, not every second."""
        if self.hashed is None or self.hashed[0] is not config:
            self.hashed = (config, planning_hash(config))
        return self.hashed[1]

    async def _plan(self, beliefs: Beliefs, current: Situation, reason: ReplanReason) -> None:
        try:
            made = await self.maker.make(
                beliefs.config, beliefs.offers, beliefs.workload, reason.trigger, self._note_progress
            )
        except BoutedError as error:
            self._failed(error, current)
            if isinstance(error, Infeasible | Misconfigured) and self.previous is not None:
                self.previous = current
            return
        except Exception as error:  # the loop's edge: a bug in planning must not end the daemon
            what = str(error).partition("\n")[0]
            bug = BoutedError(f"a bug in planning: {type(error).__name__}: {what}")
            if str(bug) != self.error:
                log.exception("planning failed")
            self._failed(bug, current)
            return
        if self.error:
            self._tell(EventKind.PLAN_RECOVERED, Severity.INFO, "", "planning works again")
        self.error, self.failure, self.previous, self.shift = "", None, current, None
        self.progress = None
        if made.anyway and current.not_launching:
            told = f"launches of {', '.join(current.not_launching)} fail, and nothing else meets the targets:"
            self._tell(EventKind.REPLAN, Severity.WARNING, made.plan.id, f"{told} planned with all the same")
        self._settle(made, reason)

    def _note_progress(self, progress: Progress) -> None:
        self.progress = progress

    def _failed(self, error: BoutedError, current: Situation) -> None:
        self.progress, self.failed_for = None, current.config_hash
        if str(error) != self.error:
            self._tell(EventKind.PLAN_FAILED, Severity.WARNING, "", f"{FAILED}{error}")
        self.error, self.failure, self.failed_at = str(error), error, self.clock.now().timestamp()

    def _settle(self, made: Made, reason: ReplanReason) -> None:
        """Keep the incumbent, propose, or apply, by the mode as it is now: it may have changed meanwhile."""
        plan, self.proposed = made.plan, ""
        first = made.plan.why[0] if made.plan.why else reason.detail
        if made.held:
            self._tell(EventKind.PLAN_HELD, Severity.INFO, plan.id, f"held: {first}")
        elif self.mode is Mode.APPLY:
            self._apply(plan)
        else:
            cost = f"${plan.design.usd_per_hour:.2f}/h"
            message = f"plan {plan.id} is proposed: {cost}, {first}; act: bouted apply"
            self.proposed = plan.id
            self._tell(EventKind.PLAN_PROPOSED, Severity.NOTICE, plan.id, message)

    def _accept(self, accepted_id: str | None) -> None:
        """Apply the plan an operator accepted with `bouted apply`."""
        if accepted_id is None:
            return
        for row in list_plans(self.store, 100):
            if row.plan.id == accepted_id and row.status is PlanStatus.PROPOSED:
                self._apply(row.plan)
        update_control(self.store, self.clock.now(), "daemon", accepted_plan_id=None)

    def _apply(self, plan: Plan) -> None:
        before = desired_plan(self.store)
        first = plan.why[0] if plan.why else ""
        message = f"plan {plan.id} applied: ${plan.design.usd_per_hour:.2f}/h; {first}"
        told = self._event(EventKind.PLAN_APPLIED, Severity.NOTICE, plan.id, message)
        set_desired_plan(self.store, plan.id, told=told)
        self.proposed = ""
        self.applied(before, plan)

    def _tell(self, kind: EventKind, severity: Severity, subject: str, message: str) -> None:
        add_events(self.store, (self._event(kind, severity, subject, message),))

    def _event(self, kind: EventKind, severity: Severity, subject: str, message: str) -> Event:
        log.info("%s", message)
        return Event(at=self.clock.now(), kind=kind, severity=severity, subject=subject, message=message)


def _not_launching(fleet: FleetState) -> dict[str, str]:
    return {offer: node.note for offer, node in not_launching(fleet).items()}


def _lost(fleet: FleetState) -> tuple[str, ...]:
    """Nodes that vanished, never came up or are taken back; the diff replaces them, planning may find
    something better."""
    ended = (Reason.LOST, Reason.TIMEOUT)
    failed = {n.name for n in fleet.nodes if n.status is NodeStatus.FAILED and n.reason in ended}
    failed |= {n.name for n in fleet.nodes if n.reason is Reason.NEVER_UP}
    return tuple(sorted(failed | {n.name for n in fleet.nodes if n.live and n.leaves_at is not None}))
