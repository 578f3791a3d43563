"""Tells Slack what people want to know, when a webhook is configured."""

import asyncio
import logging
from dataclasses import dataclass, field

from bouted.alerts.due import due_alerts
from bouted.alerts.incident import (
    Alert,
    PlanChange,
    SpendView,
    hourly_budget,
    monthly_budget,
    plan_changed,
    planning_failed,
)
from bouted.alerts.slack import webhook_from_file
from bouted.alerts.tell import tell
from bouted.clock import Clock
from bouted.config.schema import Config
from bouted.daemon.board import Spend
from bouted.errors import BoutedError
from bouted.events import Event, EventKind, Severity
from bouted.planner.plan import Plan
from bouted.reconcile.fleet import FleetState
from bouted.store.alerts import load_alerts, save_alert
from bouted.store.events import add_events
from bouted.store.open import Store

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Alerter:
    """Remembers plan changes until they were told; everything else is in the store."""

    store: Store
    clock: Clock
    deployment: str
    changes: list[PlanChange] = field(default_factory=list)
    failing: bool = False

    def plan_applied(self, before: Plan | None, after: Plan) -> None:
        """Note a change of plan, to be told if it moves the bill."""
        if before is None:
            return
        self.changes.append(
            PlanChange(
                plan_id=after.id,
                before_plan_id=before.id,
                before_usd_per_hour=before.design.usd_per_hour,
                after_usd_per_hour=after.design.usd_per_hour,
                why=after.why[0] if after.why else str(after.trigger),
            )
        )

    def plan_rolled_back(self, bad: Plan, back: Plan, why: str) -> None:
        """Note that a plan was rolled back, to be told whatever it costs."""
        self.changes.append(
            PlanChange(
                plan_id=back.id,
                before_plan_id=bad.id,
                before_usd_per_hour=bad.design.usd_per_hour,
                after_usd_per_hour=back.design.usd_per_hour,
                why=why,
                rolled_back=True,
            )
        )

    async def tell(
        self,
        config: Config,
        plan: Plan | None,
        fleet: FleetState,
        spend: Spend,
        plan_error: str,
        standing: tuple[Alert, ...] = (),
    ) -> None:
        """Send what is due; a Slack that does not answer is an event once, and tried again.

        `plan_error` says why planning does not work, "" while it does; `standing` is what else is wrong now.
        """
        webhook, told = config.alerts.slack.webhook_file, tuple(self.changes)
        if webhook is None:
            self.changes.clear()
            return
        try:
            sender = webhook_from_file(webhook)
            due = due_alerts(
                self._held(config, plan, fleet, spend, plan_error) + standing,
                load_alerts(self.store),
                deployment=self.deployment,
                now=self.clock.now(),
            )
            await asyncio.to_thread(tell, due, sender.send, lambda row: save_alert(self.store, row))
        except BoutedError as error:
            self._failed(error)
            return
        self.failing = False
        self.changes = [change for change in self.changes if change not in told]

    def _held(
        self, config: Config, plan: Plan | None, fleet: FleetState, spend: Spend, plan_error: str
    ) -> tuple[Alert, ...]:
        plan_id = plan.id if plan is not None else ""
        view = SpendView(
            plan_id=plan_id,
            usd_per_hour=fleet.committed_usd_per_hour(),
            budget_usd_per_hour=config.budget.usd_per_hour,
            spent_month_usd=spend.month_usd,
            forecast_month_usd=spend.forecast_month_usd,
            budget_usd_per_month=config.budget.usd_per_month,
            budget_pct=config.alerts.slack.budget_pct,
        )
        least = config.alerts.slack.plan_change_usd_per_hour
        found = [hourly_budget(view), monthly_budget(view, self.clock.now())]
        found += [plan_changed(change, least) for change in self.changes]
        found.append(planning_failed(plan_error, plan_id))
        return tuple(alert for alert in found if alert is not None)

    def _failed(self, error: BoutedError) -> None:
        if not self.failing:
            log.warning("Slack: %s", error)
            event = Event(
                at=self.clock.now(),
                kind=EventKind.ALERT_FAILED,
                severity=Severity.WARNING,
                subject="slack",
                message=f"Slack alert not sent: {error}",
            )
            add_events(self.store, (event,))
        self.failing = True
