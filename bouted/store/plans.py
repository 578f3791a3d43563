"""Every plan that was made, and which one is in force."""

from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bouted.errors import Gone, Misconfigured
from bouted.events import Event
from bouted.planner.plan import Plan, PlanStatus
from bouted.store.control import Control, control_in, control_row
from bouted.store.events import add_to
from bouted.store.legible import garbled_in
from bouted.store.session import Store
from bouted.store.tables import Documents, Plans

_COLUMNS = ("body", "status", "created_at")
_BY_ID = select(Plans).where(Plans.id == bindparam("id"))  # asked several times a second: built once


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A plan and what became of it."""

    plan: Plan
    status: PlanStatus


def save_plan(store: Store, plan: Plan, status: PlanStatus) -> None:
    """Keeps a new plan; Gone unless the problem it was made from is in the store already."""
    with store.writing() as session:
        kept = select(Documents.hash).where(Documents.hash == plan.problem_hash)
        if session.scalar(kept) is None:
            raise Gone(f"the store has no document {plan.problem_hash}")
        session.add(
            Plans(
                id=plan.id,
                created_at=plan.created_at,
                trigger=plan.trigger,
                status=status,
                problem_hash=plan.problem_hash,
                frontier_hash=plan.frontier_hash,
                config_hash=plan.config_hash,
                usd_per_hour=plan.estimate.usd_per_hour,
                p95_s=plan.estimate.p95_s(plan.objective),
                quality=plan.estimate.quality,
                gap=plan.estimate.gap_to_bound,
                seconds_to_plan=plan.seconds_to_plan,
                body=plan,
            )
        )


def load_plan(store: Store, id_prefix: str) -> Plan:
    """The one plan whose id starts so; Misconfigured when there is none or more than one."""
    with store.reading() as session:
        exact = session.get(Plans, id_prefix)
        if exact is not None:
            return _body(exact)
        starts = Plans.id.startswith(id_prefix, autoescape=True)
        found = session.scalars(select(Plans).where(starts).order_by(Plans.id).limit(4)).all()
        if len(found) == 1:
            return _body(found[0])
    if not found:
        raise _unknown(id_prefix)
    listed = ", ".join(row.id for row in found[:3]) + (", ..." if len(found) > 3 else "")
    raise Misconfigured("plan", f"{id_prefix!r} fits {listed}", hint="give more of the id")


def set_plan_status(store: Store, plan_id: str, status: PlanStatus) -> None:
    """Says what became of a plan; Misconfigured when the store has no such plan."""
    with store.writing() as session:
        _row(session, plan_id).status = status


def list_plans(store: Store, limit: int) -> tuple[PlanRow, ...]:
    """The latest plans, newest first; one that cannot be read is left out."""
    newest = select(Plans).order_by(Plans.created_at.desc(), Plans.id).limit(limit)
    with store.reading() as session:
        return tuple(
            PlanRow(plan=row.body, status=row.status)
            for row in session.scalars(newest)
            if not garbled_in(row, _COLUMNS)
        )


def desired_plan(store: Store) -> Plan | None:
    """The plan in force; None before the first, and while the one in force cannot be read."""
    with store.reading() as session:
        return plan_in(session, control_in(session))[0]


def plan_in(session: Session, control: Control) -> tuple[Plan | None, str]:
    """The plan in force, inside a transaction, and what is wrong with it where it cannot be read ("")."""
    if control.desired_plan_id is None:
        return None, ""
    row = session.scalars(_BY_ID, {"id": control.desired_plan_id}).one_or_none()
    if row is None:
        return None, f"plan {control.desired_plan_id} has no row"
    garbled = garbled_in(row, _COLUMNS[:1])
    return (None, f"plan {row.id} cannot be read: {garbled[1]}") if garbled else (row.body, "")


def let_go(store: Store, plan_id: str) -> None:
    """Takes this plan out of force, so that another is made; its row stays as it is."""
    with store.writing() as session:
        control = control_row(session)
        if control.desired_plan_id == plan_id:
            control.desired_plan_id = None


def set_desired_plan(
    store: Store,
    plan_id: str,
    *,
    before_is: PlanStatus = PlanStatus.SUPERSEDED,
    told: Event | None = None,
) -> None:
    """Puts a plan in force: it becomes APPLIED and the one before `before_is`, together with the event that
    tells it, or not at all. A daemon does this through a fenced store.
    """
    with store.writing() as session:
        control = control_row(session)
        before = control.desired_plan_id
        if before is not None and before != plan_id:
            _row(session, before).status = before_is
        _row(session, plan_id).status = PlanStatus.APPLIED
        control.desired_plan_id = plan_id
        if told is not None:
            add_to(session, told)


def _body(row: Plans) -> Plan:
    if garbled_in(row, _COLUMNS[:1]):
        raise Misconfigured("plan", f"{row.id} cannot be read", hint="make another: bouted plan")
    return row.body


def _row(session: Session, plan_id: str) -> Plans:
    row = session.get(Plans, plan_id, with_for_update=True)
    if row is None:
        raise _unknown(plan_id)
    return row


def _unknown(plan_id: str) -> Misconfigured:
    return Misconfigured("plan", f"no plan {plan_id!r}", hint="`bouted history` lists them")
