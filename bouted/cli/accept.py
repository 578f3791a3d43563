"""Which plan `bouted apply` means, whether it may still be acted on, and what an operator's yes leaves."""

from collections.abc import Sequence
from datetime import datetime

from bouted.errors import Misconfigured
from bouted.events import Event, EventKind, Severity
from bouted.planner.plan import PlanStatus
from bouted.store.events import add_events
from bouted.store.open import Store
from bouted.store.plans import PlanRow

_PLAN_ANEW = "make a new one: bouted plan"


def newest_proposed(rows: Sequence[PlanRow]) -> PlanRow:
    """The latest plan that waits for a yes; `rows` are newest first. Misconfigured when none does."""
    for row in rows:
        if row.status is PlanStatus.PROPOSED:
            return row
        if row.status is PlanStatus.APPLIED:
            raise Misconfigured("", f"no plan waits: {row.plan.id}, the latest, is in force", hint=_PLAN_ANEW)
    raise Misconfigured("", "no plan waits to be applied", hint=_PLAN_ANEW)


def refuse_old(plan_id: str, rows: Sequence[PlanRow]) -> PlanRow:
    """The row of `plan_id`; Misconfigured when the world has moved on since it was made.

    A plan that is in force comes back as it is. `rows` are newest first.
    """
    newer: PlanRow | None = None
    for row in rows:
        if row.plan.id == plan_id:
            return _usable(row, newer)
        if newer is None and row.status in (PlanStatus.PROPOSED, PlanStatus.APPLIED):
            newer = row
    raise Misconfigured("", f"plan {plan_id} is too old to act on", hint=_PLAN_ANEW)


def agree(store: Store, plan_id: str, who: str, now: datetime) -> None:
    """Put on record that this plan may stop much at once; the newest such word is what the daemon goes by."""
    message = f"{who} agreed that plan {plan_id} stops more at once than changes.max_stop_pct"
    event = Event(at=now, kind=EventKind.AGREED, severity=Severity.NOTICE, subject=plan_id, message=message)
    add_events(store, (event,))


def _usable(row: PlanRow, newer: PlanRow | None) -> PlanRow:
    plan_id = row.plan.id
    if row.status is PlanStatus.APPLIED:
        return row
    if row.status is PlanStatus.HELD:
        raise Misconfigured(
            "", f"plan {plan_id} only says why the plan in force stays", hint="see: bouted history --plans"
        )
    if newer is not None:
        verb = "is in force" if newer.status is PlanStatus.APPLIED else "was made after it"
        hint = _PLAN_ANEW if newer.status is PlanStatus.APPLIED else f"bouted apply {newer.plan.id}"
        raise Misconfigured("", f"plan {plan_id} is superseded: {newer.plan.id} {verb}", hint=hint)
    if row.status is PlanStatus.SUPERSEDED:
        raise Misconfigured("", f"plan {plan_id} is superseded", hint=_PLAN_ANEW)
    return row
