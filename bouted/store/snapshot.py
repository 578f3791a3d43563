"""What is wanted and what there is, read together."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bouted.planner.plan import Plan
from bouted.reconcile.fleet import FleetState
from bouted.store.control import Control, control_in
from bouted.store.plans import plan_in
from bouted.store.read_fleet import fleet_in
from bouted.store.session import Store

HOLDS_FOR = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The switches, the plan in force and the fleet, as of one instant (`at`).

    `plan` is None before the first, and while the one in force cannot be read: `spoilt` then says why.
    `writes` is the number of this process's latest write by then.
    """

    at: datetime
    control: Control
    plan: Plan | None
    spoilt: str
    fleet: FleetState
    writes: int = field(compare=False)


def load_snapshot(store: Store, now: datetime) -> Snapshot:
    """All of it in one transaction."""
    writes = store.writes.latest
    with store.reading() as session:
        control = control_in(session)
        plan, spoilt = plan_in(session, control)
        fleet = fleet_in(session, now)
    return Snapshot(at=now, control=control, plan=plan, spoilt=spoilt, fleet=fleet, writes=writes)


def refreshed(store: Store, now: datetime, known: Snapshot) -> Snapshot:
    """`known` itself unless this process has written since, or is over a second old: others write, too."""
    still = known.writes == store.writes.latest and timedelta(0) <= now - known.at < HOLDS_FOR
    return known if still else load_snapshot(store, now)
