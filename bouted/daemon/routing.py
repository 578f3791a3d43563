"""Steers the gateways: publishes a route table whenever it would route differently.

Where it cannot be written, the gateways go on by the last one; what may be done meanwhile `unpublished` says.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
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

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Routing:
    """Remembers the table that is in force, and the plans that nodes are from.

    `trouble` says in one line why the gateways cannot be given another, "" while they can. `left` says of
    replicas that were taken out by a table which came late when it came.
    """

    store: Store
    clock: Clock
    path: Path
    rules: Callable[[], RolloutRules]
    table: RouteTable | None = field(default=None)
    plans: dict[str, Plan | None] = field(default_factory=dict)
    trouble: str = ""
    left: dict[str, datetime] = field(default_factory=dict)

    def publish(self, plan: Plan, fleet: FleetState, rollout: RolloutState) -> None:
        """Give the gateways a new table when it would steer differently. Never raises for the disk."""
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
            self._write(table, fleet)
        else:
            self.trouble = ""

    def reached(self, fleet: FleetState, drain_s: float) -> frozenset[str]:
        """The replicas that gateways may send queries by a table that is not the present one, and those that
        have not had `drain_s` yet since one that came late took them out."""
        now = self.clock.now()
        late = {name for name, at in self.left.items() if (now - at).total_seconds() < drain_s}
        if not self.trouble:
            return frozenset(late)
        if self.table is None:  # nobody knows what gateways remember: all that has an address
            return frozenset(late | {replica.name for replica in fleet.replicas if replica.endpoint})
        return frozenset(late | _names(self.table))

    def _write(self, table: RouteTable, fleet: FleetState) -> None:
        try:
            write_table(self.path, table)
        except OSError as error:
            if not self.trouble:
                log.warning("%s cannot be written: %s", self.path, error)
            self.trouble = (
                f"the route table {self.path} cannot be written: {error.strerror or error}; gateways go on by"
                " the last one, so what is in it is neither drained nor stopped; free space there, or let"
                " bouted write there"
            )
            return
        if self.trouble:
            log.info("%s can be written again", self.path)
            self.left = self._left_by(table, fleet)
        self.table, self.trouble = table, ""

    def _left_by(self, table: RouteTable, fleet: FleetState) -> dict[str, datetime]:
        """`left` once this table is there: those that were reached until now, and earlier ones."""
        known = {replica.name for replica in fleet.replicas}
        now = dict.fromkeys(self.reached(fleet, 0.0) & known - _names(table), self.clock.now())
        return {name: at for name, at in self.left.items() if name in known} | now

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


def _names(table: RouteTable) -> frozenset[str]:
    return frozenset(route.replica for route in table.routes)


def _last_table(path: Path) -> RouteTable | None:
    try:
        return read_table(path)
    except (BoutedError, OSError):
        return None
