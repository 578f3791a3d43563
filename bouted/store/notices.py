"""What providers said about machines that they take back, and what they call the machines."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from bouted.events import Event
from bouted.market.notices import Notice
from bouted.store.events import add_to
from bouted.store.fleet_rows import node_may_live
from bouted.store.legible import Garbled
from bouted.store.session import Store
from bouted.store.tables import Nodes, Notices

FORGOTTEN = timedelta(days=1)
"""A machine that is still there so long after its time was not taken."""

Instance = tuple[str, str]
"""A provider, and what it calls a machine."""

# Asked several times a second: built once.
_CURRENT = select(Notices).where(Notices.leaves_at >= bindparam("since"))


def keep_notices(store: Store, notices: Iterable[Notice], events: Iterable[Event], now: datetime) -> None:
    """Keeps when each of these machines goes, and the events that tell it; of two notices the later holds."""
    with store.writing() as session:
        for notice in notices:
            leaves_at = notice.leaves_at
            if leaves_at is not None:
                key = {"provider": notice.provider, "instance": notice.instance}
                session.merge(Notices(**key, kind=notice.kind, heard_at=now, leaves_at=leaves_at))
        add_to(session, *events)


def leaving_in(session: Session, now: datetime) -> dict[Instance, datetime]:
    """When each machine goes that a notice is known of."""
    rows = session.scalars(_CURRENT, {"since": now - FORGOTTEN})
    return {(r.provider, r.instance): r.leaves_at for r in rows if not isinstance(r.leaves_at, Garbled)}


def nodes_of(store: Store, instances: Iterable[str]) -> dict[str, str]:
    """The live nodes that go by these ids, or have them for names, by id."""
    ids = list(instances)
    alike = or_(Nodes.instance_id.in_(ids), Nodes.name.in_(ids))
    with store.reading() as session:
        rows = session.execute(select(Nodes.name, Nodes.instance_id).where(node_may_live(), alike)).all()
    return {instance if instance in ids else name: name for name, instance in rows}


def note_instances(store: Store, ids: Mapping[str, str]) -> None:
    """Keeps what providers call these nodes, by name."""
    if not ids:
        return
    with store.writing() as session:
        for name, instance_id in ids.items():
            row = session.get(Nodes, name)
            if row is not None:
                row.instance_id = instance_id
