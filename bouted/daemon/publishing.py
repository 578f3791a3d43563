"""Tells what the daemon sees: the status board, and one line for the service manager."""

import os
from dataclasses import dataclass

from bouted.alerts.incident import Alert
from bouted.clock import Clock
from bouted.daemon.board import BoardInputs, Spend, compose_board
from bouted.daemon.board_trials import board_trials
from bouted.daemon.deadman import DeadMan
from bouted.daemon.held_config import HeldConfig
from bouted.daemon.incidents import standing_incidents
from bouted.daemon.money import Purse
from bouted.daemon.prices import MarketKeeper
from bouted.daemon.reconciling import Pass, Reconciler
from bouted.daemon.replanning import Replanner
from bouted.daemon.sweeping import Sweeper
from bouted.daemon.traffic import Traffic
from bouted.planner.plan import Plan, PlanStatus
from bouted.store.board import publish_board
from bouted.store.control import load_control
from bouted.store.events import list_events
from bouted.store.open import Store
from bouted.store.plans import PlanRow, list_plans

RECENT_EVENTS = 60


@dataclass(slots=True, kw_only=True)
class Publisher:
    """Reads the other parts; decides nothing."""

    held: HeldConfig
    store: Store
    clock: Clock
    market: MarketKeeper
    traffic: Traffic
    sweeper: Sweeper
    deadman: DeadMan
    reconciler: Reconciler
    replanner: Replanner
    purse: Purse

    def publish(self, last: Pass) -> None:
        """Write the status board, as of the last pass."""
        now, config, newest = self.clock.now(), self.held.config, list_plans(self.store, 1)
        board = compose_board(
            BoardInputs(
                now=now,
                deployment=config.deployment,
                mode=config.mode,
                pid=os.getpid(),
                control=load_control(self.store),
                plan=last.plan,
                proposed=_plan_if(PlanStatus.PROPOSED, newest),
                held=_plan_if(PlanStatus.HELD, newest),
                fleet=last.fleet,
                changes=last.changes,
                seen=last.seen,
                targets=config.targets_s(),
                budget_usd_per_hour=config.budget.usd_per_hour,
                spend=self.spend(last),
                measured=self.traffic.measured(now.timestamp(), config.workload.window_s),
                requests_ok=self.traffic.ok,
                requests_failed=self.traffic.failed,
                events=list_events(self.store, limit=RECENT_EVENTS),
                progress=self.replanner.progress,
                plan_error=self.replanner.error,
                config_error=self.held.error,
                stale_sources=self.market.stale(),
                trials=board_trials(self.reconciler.rollouts.state, self.reconciler.routing.table),
                troubles=tuple(incident.what for incident in self.incidents(last)),
            )
        )
        publish_board(self.store, board, now)

    def incidents(self, last: Pass) -> tuple[Alert, ...]:
        """What is wrong outside the daemon now."""
        return standing_incidents(
            last.fleet,
            last.plan.id if last.plan is not None else "",
            deadman=self.deadman,
            routing=self.reconciler.routing,
            sight=self.reconciler.sight,
            sweeper=self.sweeper,
        )

    def spend(self, last: Pass) -> Spend:
        """What was spent, and where the month is heading."""
        return self.purse.spend(last.fleet, self.clock.now())


def _plan_if(status: PlanStatus, newest: tuple[PlanRow, ...]) -> Plan | None:
    return next((row.plan for row in newest if row.status is status), None)


def status_line(last: Pass | None) -> str:
    """Plan, nodes and dollars, for `systemctl status`."""
    if last is None or last.plan is None:
        return "no plan yet"
    fleet = last.fleet
    nodes = sum(node.live for node in fleet.nodes)
    return f"plan {last.plan.id}, {nodes} nodes, ${fleet.committed_usd_per_hour():.2f}/h"
