"""Steers the gateways: publishes a route table whenever it would route differently."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bouted.clock import Clock
from bouted.errors import BoutedError, Misconfigured
from bouted.gateway.publish import read_table, write_table
from bouted.gateway.table import RouteTable
from bouted.planner.plan import Plan
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.rollout import RolloutRules, RolloutState
from bouted.reconcile.routes import route_table, same_routing
from bouted.store.open import Store
from bouted.store.plans import load_plan


@dataclass(slots=True, kw_only=True)
class Routing:
    """Remembers the table that is in force, and the plans that nodes are from."""

    store: Store
    clock: Clock
    path: Path
    rules: Callable[[], RolloutRules]
    table: RouteTable | None = field(default=None)
    plans: dict[str, Plan | None] = field(default_factory=dict)

    def publish(self, plan: Plan, fleet: FleetState, rollout: RolloutState) -> None:
        """Give the gateways a new table when it would steer differently."""
        if self.table is None:
            self.table = _last_table(self.path)
        table = route_table(
            plan,
            self.table,
            fleet,
            earlier=self._earlier(fleet),
            trying=rollout.on_trial,
            rules=self.rules(),
            now=self.clock.now(),
        )
        if self.table is None or not same_routing(self.table, table):
            write_table(self.path, table)
            self.table = table

    def _earlier(self, fleet: FleetState) -> tuple[Plan, ...]:
        """The plans that live nodes are from, oldest first."""
        ids = {node.plan_id for node in fleet.nodes if node.live}
        self.plans = {
            plan_id: self.plans[plan_id] if plan_id in self.plans else self._load(plan_id) for plan_id in ids
        }
        found = (plan for plan in self.plans.values() if plan is not None)
        return tuple(sorted(found, key=lambda plan: (plan.created_at, plan.id)))

    def _load(self, plan_id: str) -> Plan | None:
        """None for a node that no plan is kept of."""
        try:
            return load_plan(self.store, plan_id) if plan_id else None
        except Misconfigured:
            return None


def _last_table(path: Path) -> RouteTable | None:
    try:
        return read_table(path)
    except (BoutedError, OSError):
        return None
