"""Draws docs/states.md from `states`: `python -m bouted.reconcile.states_drawn > docs/states.md`."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from bouted.reconcile.states import (
    NODE_LIVE,
    NODE_MOVES,
    NODE_PAID,
    REPLICA_LIVE,
    REPLICA_MOVES,
    NodeStatus,
    Reason,
    ReplicaStatus,
    Told,
)

T = TypeVar("T", bound=Told)

_HEAD = """\
# States of nodes and replicas

Drawn from `bouted/reconcile/states.py`; draw it again after a change there:
`python -m bouted.reconcile.states_drawn > docs/states.md`.

A **node** is one rented instance, or a group of equal ones: the unit of money. A **replica** is one engine
on a node: the unit of routing. The store checks every write against these tables. What is seen to do
something that they do not allow ends nothing: the row becomes `needs_attention`, with a hint in its note.
"""
_ATTENTION = """\
## What needs attention

`bouted status` shows such a row with its reason and a hint; a Slack alert goes out where a webhook is set.
It counts as live, and a node as paid. A node that does not end is asked again and again, and its place is
filled by another one. So is an engine that does not end within `drain_s + stop_timeout_s` of its drain; it
does not keep a node that nothing else needs. Where what is seen makes sense again, the row is taken up
again. `bouted reap NAME` ends it by hand.
"""


def document() -> str:
    """The whole page."""
    parts = (
        _HEAD,
        "## Nodes\n",
        _diagram(NODE_MOVES, NodeStatus.PLANNED),
        _statuses(NodeStatus, {"live": NODE_LIVE, "paid": NODE_PAID}),
        "## Replicas\n",
        _diagram(REPLICA_MOVES, ReplicaStatus.PLANNED),
        _statuses(ReplicaStatus, {"live": REPLICA_LIVE}),
        _ATTENTION,
        "## Reasons\n",
        _table(("reason", "meaning"), ((f"`{reason}`", reason.meaning) for reason in Reason)),
    )
    return "\n".join(parts)


def _diagram(moves: Mapping[T, frozenset[T]], first: T) -> str:
    order = list(moves)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    for before, after in moves.items():
        lines += [f"    {before} --> {status}" for status in sorted(after, key=order.index)]
    return "\n".join([*lines, "```", ""])


def _statuses(kind: Iterable[Told], sets: Mapping[str, frozenset[Told]]) -> str:
    rows = (
        (f"`{status}`", status.meaning, *("yes" if status in members else "" for members in sets.values()))
        for status in kind
    )
    return _table(("status", "meaning", *sets), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    print(document(), end="")
