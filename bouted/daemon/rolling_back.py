"""Puts the plan before back in force when the one in force is worse than it promised."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.config.schema import Config
from bouted.daemon.replanning import Beliefs
from bouted.daemon.rollouts import Rollouts, record_of
from bouted.errors import Misconfigured
from bouted.events import Event, EventKind, Severity
from bouted.perf.verdict import Record, same_mix
from bouted.planner.plan import Plan, PlanStatus
from bouted.reconcile.adopted import adopted_usd_per_hour
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.rollback import (
    PROBATION,
    Call,
    Case,
    Decision,
    InForce,
    counts_from,
    counts_until,
    decide,
    in_force,
    met_targets,
)
from bouted.store.events import add_events, latest_events
from bouted.store.open import Store
from bouted.store.plans import load_plan, set_desired_plan
from bouted.store.snapshot import Snapshot
from bouted.workload.profile import RequestSample

log = logging.getLogger(__name__)

LOOKED_AT = 50  # plan events: what came before them is no longer gone back to
MOVES = (EventKind.PLAN_APPLIED, EventKind.PLAN_ROLLED_BACK)
NO_RECORD = Record(good=(), failed=0, rate_per_s=0.0)


@dataclass(slots=True, kw_only=True)
class RollBack:
    """Judges the plan in force while it is new. All it goes by is in the store or at the gateways; `stands`
    and `met_before` (whether the plan before met the targets) only save looking them up.

    A plan that was agreed to is left for the one that was agreed to before it, in every mode; `bouted pause`
    holds this back, too. `told` hears of the plan that was bad, the one that is back, and why.
    """

    store: Store
    clock: Clock
    rollouts: Rollouts
    told: Callable[[Plan, Plan, str], None] = field(default=lambda bad, back, why: None)
    stands: InForce | None = None
    met_before: bool | None = None

    def consider(self, beliefs: Beliefs, samples: Sequence[RequestSample], rows: Snapshot) -> None:
        """Go back if the plan in force is worse than promised and there is a way; else take what there is."""
        control, plan, now = rows.control, rows.plan, self.clock.now()
        if plan is None or control.paused or control.down_requested:
            return
        stands = self._stands(plan, beliefs.config, samples)
        if now - stands.since > PROBATION and not self.rollouts.state.worse:
            return
        case = self._case(plan, rows.fleet, stands, beliefs, samples, now)
        decision = decide(case, self.rollouts.rules(), now)
        if decision.call is Call.BACK and case.previous is not None:
            self._go_back(plan, case.previous, decision, case)
        elif decision.call is Call.STUCK and case.worse:
            self._accept(plan, decision, case)

    def _case(
        self,
        plan: Plan,
        fleet: FleetState,
        stands: InForce,
        beliefs: Beliefs,
        samples: Sequence[RequestSample],
        now: datetime,
    ) -> Case:
        config = beliefs.config
        return Case(
            plan=plan,
            previous=self._before(stands),
            since=stands.since,
            fleet=fleet,
            targets=config.targets_s(),
            record=self._record(plan, fleet, stands, samples, now),
            met_before=self.met_before,
            worse=self.rollouts.state.worse,
            rate_per_s=beliefs.workload.rate_per_s,
            offers=beliefs.offers,
            cap_usd_per_hour=config.budget_value().beside(adopted_usd_per_hour(fleet)).usd_per_hour,
            load_step_pct=config.changes.load_step_pct,
        )

    def _stands(self, plan: Plan, config: Config, samples: Sequence[RequestSample]) -> InForce:
        """Since when `plan` is in force; where that is not kept any more, since it was made.

        What the plan before did is looked at now: gateways do not keep it for long.
        """
        if self.stands is None or self.stands.plan_id != plan.id:
            found = in_force(latest_events(self.store, MOVES, LOOKED_AT))
            unknown = InForce(plan_id=plan.id, since=plan.created_at, before_id=None)
            self.stands = found if found is not None and found.plan_id == plan.id else unknown
            since, window_s = self.stands.since, timedelta(seconds=config.workload.window_s)
            before = record_of(None, samples, since - window_s, since)
            self.met_before = met_targets(before, config.targets_s(), self.rollouts.rules())
        return self.stands

    def _before(self, stands: InForce) -> Plan | None:
        """The plan to go back to; None where there is none, or it is kept no longer."""
        try:
            return load_plan(self.store, stands.before_id) if stands.before_id else None
        except Misconfigured:
            return None

    def _record(
        self,
        plan: Plan,
        fleet: FleetState,
        stands: InForce,
        samples: Sequence[RequestSample],
        now: datetime,
    ) -> Record:
        """The requests that count, once they do; none while something of the plan is on trial."""
        rules = self.rollouts.rules()
        proved_at = self.rollouts.proved_at(plan)
        start = counts_from(plan, fleet, rules, max(stands.since, proved_at)) if proved_at else None
        if start is None or start >= now:
            return NO_RECORD
        record = record_of(None, samples, start, min(now, counts_until(start, rules)))
        alike = same_mix(record.good, self.rollouts.promises.of(plan).lengths)
        return record if alike else NO_RECORD

    def _go_back(self, bad: Plan, back: Plan, decision: Decision, case: Case) -> None:
        message = (
            f"plan {bad.id} rolled back: {decision.why}; plan {back.id} is in force again, at"
            f" ${back.design.usd_per_hour:.2f}/h; planning starts anew, without that design for a while"
        )
        event = self._event(EventKind.PLAN_ROLLED_BACK, Severity.WARNING, bad.id, message)
        set_desired_plan(self.store, back.id, before_is=PlanStatus.ROLLED_BACK, told=event)
        self.rollouts.restart([shape_id for shape_id, _ in case.worse])
        self.told(bad, back, decision.why)

    def _accept(self, plan: Plan, decision: Decision, case: Case) -> None:
        """A trial must not keep two fleets running for ever: what cannot be undone is taken as it is."""
        message = f"plan {plan.id} is worse than promised: {decision.why}; it stays: {decision.obstacle}"
        add_events(self.store, (self._event(EventKind.ROLLOUT, Severity.WARNING, plan.id, message),))
        self.rollouts.accept([shape_id for shape_id, _ in case.worse])

    def _event(self, kind: EventKind, severity: Severity, subject: str, message: str) -> Event:
        log.info("%s", message)
        return Event(at=self.clock.now(), kind=kind, severity=severity, subject=subject, message=message)
