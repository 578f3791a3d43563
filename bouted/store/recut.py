"""A node that is cut differently from now on: the same machine, the same money, other engines."""

from datetime import datetime

from bouted.errors import Gone, NotYet
from bouted.events import Event, EventKind, Severity
from bouted.planner.planned import Template
from bouted.reconcile.states import NodeStatus
from bouted.store.costs import note_cut
from bouted.store.events import add_to
from bouted.store.session import Store
from bouted.store.tables import Nodes

_CUTTABLE = frozenset({NodeStatus.PLANNED, NodeStatus.LAUNCHING, NodeStatus.UP})


def recut_node(store: Store, name: str, template: Template, plan_id: str, now: datetime) -> None:
    """From `now` on the node is cut like `template`, as `plan_id` wants; its money is for the new places.

    It keeps its slot and incarnation, because its name is derived from them. A node that is cut so already
    stays as it is. Gone when there is no such node, NotYet when it is on its way out; ValueError for a cut
    of another number of machines.
    """
    with store.writing() as session:
        row = session.get(Nodes, name, with_for_update=True)
        if row is None:
            raise Gone(f"the store has no node {name}")
        if row.template == template:
            row.plan_id = plan_id
            return
        if row.status not in _CUTTABLE:
            raise NotYet(f"node {name} is {row.status}, it cannot be cut anew")
        if row.template.instances != template.instances:
            raise ValueError(f"{name} is {row.template.instances} machines, not {template.instances}")
        note_cut(session, row, template, now)
        before = row.template.id
        row.template, row.plan_id = template, plan_id
        event = Event(
            at=now,
            kind=EventKind.NODE_STATUS,
            severity=Severity.INFO,
            subject=name,
            message=f"node {name} is cut anew: {before} -> {template.id}",
        )
        add_to(session, event)
