"""The journal of what the reconciler did: an intent before it acts, an outcome after."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from bouted.errors import Gone
from bouted.store.kinds import ActionState
from bouted.store.legible import garbled_in
from bouted.store.session import Store
from bouted.store.tables import Actions

_COLUMNS = ("at", "state", "finished_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """One action. INTERRUPTED, or in state INTENT long after `at`: the daemon died in the middle of it."""

    id: int
    at: datetime
    plan_id: str
    kind: str
    subject: str
    state: ActionState
    detail: str
    finished_at: datetime | None


def begin_action(store: Store, plan_id: str, kind: str, subject: str, now: datetime) -> int:
    """Writes the intent, before anything is done; returns the id to finish it by."""
    with store.writing() as session:
        row = Actions(
            at=now, plan_id=plan_id, kind=kind, subject=subject, state=ActionState.INTENT, detail=""
        )
        session.add(row)
        session.flush()
        return row.id


def finish_action(store: Store, id: int, ok: bool, detail: str, now: datetime) -> None:
    """Writes what came of an action; Gone when there is none with this id."""
    with store.writing() as session:
        row = session.get(Actions, id)
        if row is None:
            raise Gone(f"the store has no action {id}")
        row.state = ActionState.DONE if ok else ActionState.FAILED
        row.detail, row.finished_at = detail, now


def list_actions(store: Store, limit: int) -> tuple[ActionRow, ...]:
    """The latest actions, newest first; one that cannot be read is left out."""
    newest = select(Actions).order_by(Actions.id.desc()).limit(limit)
    with store.reading() as session:
        return tuple(_action(row) for row in session.scalars(newest) if not garbled_in(row, _COLUMNS))


def _action(row: Actions) -> ActionRow:
    return ActionRow(
        id=row.id,
        at=row.at,
        plan_id=row.plan_id,
        kind=row.kind,
        subject=row.subject,
        state=row.state,
        detail=row.detail,
        finished_at=row.finished_at,
    )
