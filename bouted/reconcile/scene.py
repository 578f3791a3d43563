"""The fleet beside its changes, counted once: what serves, what the plan wants, what must stay. Pure.

One is made for one ordering and used up by it: `serving` goes down as drains are chosen.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bouted.planner.planned import Template
from bouted.reconcile.actions import ChangeSet, Limits
from bouted.reconcile.diff import replicas_by_node
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.standing import Held, HeldBy, Standing
from bouted.reconcile.states import ReplicaStatus


@dataclass(slots=True, kw_only=True)
class Scene:
    """`on`: replicas by node. `own`: those on nodes that this launcher started. `wanted`, `cover`, `serving`:
    replicas per model that the plan wants, that count as serving for it, that serve and stay: nothing counts
    on a node that its provider takes back. `least`: how many of each must go on serving."""

    changes: ChangeSet
    fleet: FleetState
    limits: Limits
    now: datetime
    standing: Standing
    on: Mapping[str, tuple[Replica, ...]]
    own: tuple[Replica, ...]
    wanted: Counter[str]
    cover: Counter[str]
    serving: Counter[str]
    least: Mapping[str, int]
    held: dict[tuple[HeldBy, str], Held] = field(default_factory=dict)

    def ready_on(self, node: Node) -> list[Replica]:
        """The replicas of a node that serve."""
        return [r for r in self.on.get(node.name, ()) if r.status is ReplicaStatus.READY]

    def covered(self, models: Iterable[str]) -> bool:
        """Whether the plan's own replicas serve all that it wants of these models."""
        return all(self.cover[model] >= self.wanted[model] for model in models)

    def replaced(self, models: Iterable[str]) -> bool:
        """`covered`, and for models that the plan drops: whatever takes their queries serves, too."""
        asked = set(models)
        dropped = any(not self.wanted[model] for model in asked)
        return self.covered(self.wanted if dropped else asked)

    def can_spare(self, here: Counter[str], *, leave: int = 0) -> bool:
        """Whether so many may go: the serving floor stays, and `leave` of each model that is wanted."""
        return all(
            self.serving[model] - count >= self.must_stay(model, leave=leave) for model, count in here.items()
        )

    def must_stay(self, model: str, *, leave: int = 0) -> int:
        """How many replicas of a model must go on serving."""
        if self.standing.down:
            return 0
        return max(self.least.get(model, 0), leave if self.wanted[model] else 0)

    def hold(self, by: HeldBy, subject: str, message: str) -> None:
        """Note why something waits; the first word on a subject stands."""
        self.held.setdefault((by, subject), Held(by=by, subject=subject, message=message))


def scene(changes: ChangeSet, fleet: FleetState, limits: Limits, now: datetime, standing: Standing) -> Scene:
    """Everything counted."""
    on = replicas_by_node(fleet)
    ours = [node for node in fleet.nodes if node.launcher == standing.launcher]
    going = {node.name for node in fleet.nodes if node.leaves_at is not None}
    ready = (r for r in fleet.replicas if r.status is ReplicaStatus.READY)
    serving = Counter(r.shape.model for r in ready if r.node not in going)
    counted = standing.counted
    return Scene(
        changes=changes,
        fleet=fleet,
        limits=limits,
        now=now,
        standing=standing,
        on=on,
        own=tuple(replica for node in ours for replica in on.get(node.name, ())),
        wanted=_wanted(changes),
        cover=Counter(r.shape.model for r in changes.ready if counted is None or r.name in counted),
        serving=serving,
        least={rule.name: min(rule.min_replicas, serving[rule.name]) for rule in standing.rules},
    )


def models_of(template: Template) -> Counter[str]:
    """Replicas per model of a cut."""
    return Counter(shape.model for shape in template.replicas)


def _wanted(changes: ChangeSet) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for node in changes.keep:
        wanted.update(shape.model for shape in node.template.replicas)
    for cut in changes.recut:
        wanted.update(shape.model for shape in cut.planned.template.replicas)
    for planned in changes.launch:
        wanted.update(shape.model for shape in planned.template.replicas)
    return wanted
