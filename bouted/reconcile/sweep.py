"""(what the provider lists, rows of any age, the names to be launched next) -> what does not match. Pure.

Both ways: what runs without a row is ended unless the next launch takes it over, what runs although its row
has ended is stopped again, and a row whose node the list lacks twice, or lists as ended, is closed. Only
names that this deployment gives are ever looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bouted.reconcile.adopted import is_adopted
from bouted.reconcile.fleet import Node
from bouted.reconcile.launcher import SeenNode
from bouted.reconcile.names import is_ours
from bouted.reconcile.observe_node import NodeMove, NodeTimes, ended_move, new_instances, times_of

SETTLE_S = 60.0
"""A list may show for a while as running what has just been ended."""
FEW = 2
"""So many orphans may be ended at once, or as many as there are live nodes. More say that rows were lost,
which is for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`deployment`'s names are ours. Orphans are ended when they are `grace_s` old, at `most` so many at once
    (None: however many)."""

    deployment: str
    grace_s: float
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Nodes of any age; names whose rows cannot be read; names that the plan would launch next."""

    nodes: tuple[Node, ...]
    unreadable: frozenset[str] = frozenset()
    coming: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What does not match.

    orphans: run without a row, to be ended. young: the same, too young. held: the same, too many at once.
    taken: the same, and the plan's next launch takes them over. strays: run although their rows have ended.
    closed: moves of rows whose nodes have ended. times: what the provider says of rows' bills. instances:
    what it calls nodes whose rows do not say so.
    """

    orphans: tuple[SeenNode, ...] = ()
    young: tuple[SeenNode, ...] = ()
    held: tuple[SeenNode, ...] = ()
    taken: tuple[SeenNode, ...] = ()
    strays: tuple[Node, ...] = ()
    closed: tuple[NodeMove, ...] = ()
    times: tuple[NodeTimes, ...] = ()
    instances: Mapping[str, str] = field(default_factory=dict)


def sweep(
    listed: Iterable[SeenNode],
    rows: Rows,
    rules: Rules,
    now: datetime,
    *,
    gone: frozenset[str] = frozenset(),
    answering: frozenset[str] = frozenset(),
    first_seen: Mapping[str, datetime] | None = None,
) -> Findings:
    """How the provider's list differs from the rows.

    `gone` are names whose absence from the list is confirmed, `answering` nodes with an engine that answers.
    `first_seen` says since when a name has been listed, for those whose start the provider does not tell.
    """
    listed = tuple(listed)
    found = {node.name: node for node in sorted(listed, key=lambda node: node.ended_at is None)}
    seen = {name: node for name, node in found.items() if is_ours(rules.deployment, name)}
    ours = {node.name: node for node in rows.nodes if not is_adopted(node)}
    running = {name: node for name, node in seen.items() if node.ended_at is None}
    unexplained = [node for name, node in running.items() if name not in ours and name not in rows.unreadable]
    waiting = [node for node in unexplained if node.name not in rows.coming]
    ages = {node.name: _age_s(node, first_seen or {}, now) for node in waiting}
    old = [node for node in waiting if ages[node.name] >= rules.grace_s]
    too_many = rules.most is not None and len(old) > rules.most
    return Findings(
        orphans=() if too_many else tuple(old),
        young=tuple(node for node in waiting if ages[node.name] < rules.grace_s),
        held=tuple(old) if too_many else (),
        taken=tuple(node for node in unexplained if node.name in rows.coming),
        strays=tuple(
            node
            for node in ours.values()
            if not node.live and node.name in running and (now - node.since).total_seconds() >= SETTLE_S
        ),
        closed=tuple(_closed(ours.values(), seen, gone - answering)),
        times=times_of(ours.values(), listed),
        instances=new_instances(ours.values(), found),
    )


def _age_s(node: SeenNode, first_seen: Mapping[str, datetime], now: datetime) -> float:
    since = node.started_at or first_seen.get(node.name, now)
    return (now - since).total_seconds()


def _closed(nodes: Iterable[Node], seen: Mapping[str, SeenNode], gone: frozenset[str]) -> Iterable[NodeMove]:
    for node in nodes:
        listing = seen.get(node.name)
        said_ended = listing is not None and listing.ended_at is not None
        if node.paid and (said_ended or (listing is None and node.name in gone)):
            yield ended_move(node, listing)
