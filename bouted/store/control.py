"""What the operator and the daemon want: one row, so that `pause` and `down` work with the daemon dead."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict, Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from bouted.store import tables
from bouted.store.legible import Garbled
from bouted.store.session import Store
from bouted.store.upsert import insert_into

_ROW = select(tables.Control).where(tables.Control.id == 1)  # asked several times a second: built once


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The switches. `accepted_plan_id` is the plan an operator said yes to, `desired_plan_id` the one in
    force; `updated_at` and `updated_by` tell who changed a switch last."""

    paused: bool = False
    down_requested: bool = False
    accepted_plan_id: str | None = None
    desired_plan_id: str | None = None
    updated_at: datetime | None = None
    updated_by: str = ""


class Changes(TypedDict, total=False):
    """Switches that `update_control` may set."""

    paused: bool
    down_requested: bool
    accepted_plan_id: str | None
    desired_plan_id: str | None


def load_control(store: Store) -> Control:
    """The switches as they are; all off before anyone set one."""
    with store.reading() as session:
        return control_in(session)


def control_in(session: Session) -> Control:
    """The same, inside a transaction."""
    row = session.scalars(_ROW).one_or_none()
    return Control() if row is None else _control(row)


def update_control(store: Store, now: datetime, by: str, **changes: Unpack[Changes]) -> Control:
    """Sets these switches and leaves the others; returns all of them. A plan id must be in the store."""
    with store.writing() as session:
        row = control_row(session)
        after = replace(_control(row), **changes, updated_at=now, updated_by=by)
        row.paused, row.down_requested = after.paused, after.down_requested
        row.accepted_plan_id, row.desired_plan_id = after.accepted_plan_id, after.desired_plan_id
        row.updated_at, row.updated_by = now, by
    return after


def control_row(session: Session) -> tables.Control:
    """The one row, made if need be, locked for this transaction."""
    off = insert_into(session, tables.Control).values(id=1, paused=False, down_requested=False, updated_by="")
    session.execute(off.on_conflict_do_nothing())
    return session.get_one(tables.Control, 1, with_for_update=True)


def _control(row: tables.Control) -> Control:
    return Control(
        paused=row.paused,
        down_requested=row.down_requested,
        accepted_plan_id=row.accepted_plan_id,
        desired_plan_id=row.desired_plan_id,
        updated_at=None if isinstance(row.updated_at, Garbled) else row.updated_at,
        updated_by=row.updated_by,
    )
