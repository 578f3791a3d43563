"""Ends rows that cannot be read, once what they stood for has been stopped by its name."""

from datetime import datetime

from bouted.errors import Gone
from bouted.events import Event, EventKind, Severity
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.events import add_to
from bouted.store.session import Store
from bouted.store.spend import stop_paying
from bouted.store.tables import Nodes, Replicas


def put_away(store: Store, name: str, now: datetime) -> None:
    """The row of this node or replica says that it has ended; what else it says stays as it is.

    Gone when there is no such row.
    """
    with store.writing() as session:
        node, replica = session.get(Nodes, name, with_for_update=True), session.get(Replicas, name)
        if node is not None:
            node.status, node.reason, node.since, node.ended_at = NodeStatus.GONE, Reason.OPERATOR, now, now
            session.flush()
            stop_paying(session, name, now)
        elif replica is not None:
            replica.status, replica.reason, replica.since = ReplicaStatus.STOPPED, Reason.OPERATOR, now
        else:
            raise Gone(f"the store has no row {name}")
        kind = EventKind.NODE_STATUS if node is not None else EventKind.REPLICA_STATUS
        message = f"{name}: its row could not be read; it was stopped by its name ({Reason.OPERATOR})"
        event = Event(at=now, kind=kind, severity=Severity.WARNING, subject=name, message=message)
        add_to(session, event)
