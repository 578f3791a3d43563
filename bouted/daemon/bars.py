"""Reads which designs were rolled back lately, from the plans and what was told of them."""

from datetime import datetime

from bouted.daemon.promises import Promises
from bouted.events import EventKind
from bouted.planner.barred import MOST, Bar
from bouted.planner.plan import Plan, PlanStatus
from bouted.store.events import latest_events
from bouted.store.open import Store
from bouted.store.plans import list_plans

LOOKED_AT = 200


def load_bars(store: Store, now: datetime) -> tuple[Bar, ...]:
    """One for each plan that was rolled back within the longest time that a bar stands."""
    told = latest_events(store, (EventKind.PLAN_ROLLED_BACK,), LOOKED_AT)
    at = {event.subject: event.at for event in told if now - event.at < MOST}
    if not at:
        return ()
    return tuple(
        _bar(store, row.plan, at[row.plan.id])
        for row in list_plans(store, LOOKED_AT)
        if row.status is PlanStatus.ROLLED_BACK and row.plan.id in at
    )


def _bar(store: Store, plan: Plan, at: datetime) -> Bar:
    profiles = Promises(store).of(plan).profiles
    shapes = {shape.id for node in plan.design.nodes for shape in node.template.replicas}
    return Bar(
        plan_id=plan.id,
        design=plan.design,
        at=at,
        config_hash=plan.config_hash,
        costs={shape_id: profiles[shape_id].costs for shape_id in shapes if shape_id in profiles},
    )
