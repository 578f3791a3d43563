"""The journal after a crash: what a dead daemon began and did not finish is closed by the next one."""

from datetime import datetime

from sqlalchemy import update

from bouted.store.kinds import ActionState
from bouted.store.session import Store
from bouted.store.tables import Actions


def close_interrupted(store: Store, now: datetime) -> int:
    """How many actions were still open; they are closed as interrupted.

    Called before anything is begun, by whoever holds the lease: every open one is of a predecessor. Whether
    such an action came to anything shows in the fleet, not here.
    """
    opened = Actions.state == ActionState.INTENT
    closed = update(Actions).where(opened).values(state=ActionState.INTERRUPTED, finished_at=now)
    with store.writing() as session:
        return len(session.scalars(closed.returning(Actions.id)).all())
