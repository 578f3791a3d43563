"""Steers the gateways: publishes a route table whenever it would route differently."""

from dataclasses import dataclass, field
from pathlib import Path

from bouted.clock import Clock
from bouted.errors import BoutedError
from bouted.gateway.publish import read_table, write_table
from bouted.gateway.table import RouteTable
from bouted.planner.plan import Plan
from bouted.quality.route_split import RouteSplit
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.routes import route_table, same_routing, split_in_force


@dataclass(slots=True, kw_only=True)
class Routing:
    """Remembers the table that is in force."""

    clock: Clock
    path: Path
    table: RouteTable | None = field(default=None)

    def publish(self, plan: Plan, fleet: FleetState) -> None:
        """Give the gateways a new table when it would steer differently."""
        if self.table is None:
            self.table = _last_table(self.path)
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
            write_table(self.path, table)
            self.table = table


def scorer_file(split: RouteSplit) -> str:
    """Name, in the state folder, of the file of the router that the split's rules belong to."""
    return f"scorer-{split.scorer_hash[:12]}.json"


def _last_table(path: Path) -> RouteTable | None:
    try:
        return read_table(path)
    except (BoutedError, OSError):
        return None
