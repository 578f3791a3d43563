"""Which replicas of a node its cut has a place for, and what it lacks. Pure.

A replica's position is its number on the node since it was started; its name is derived from it. After a
re-cut it need not be the number of its shape in the new cut: shapes are compared, positions only preferred.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bouted.perf.shapes import ReplicaShape
from bouted.planner.planned import Template
from bouted.reconcile.fleet import Replica
from bouted.reconcile.states import ReplicaStatus

_COMING = {
    ReplicaStatus.READY: 0,
    ReplicaStatus.WARMING: 1,
    ReplicaStatus.STARTING: 2,
    ReplicaStatus.PLANNED: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """kept: replicas that have a place. extra: those that have none. missing: shapes without a replica."""

    kept: tuple[Replica, ...]
    extra: tuple[Replica, ...]
    missing: tuple[ReplicaShape, ...]


def fit(template: Template, on_node: Sequence[Replica]) -> Fit:
    """How the replicas on a node fit a cut. Those that are on their way out or need attention have no place
    and are not extra either; whoever serves is preferred."""
    coming = [replica for replica in on_node if replica.status in _COMING]
    if _as_cut(template, coming):
        return Fit(kept=tuple(coming), extra=(), missing=())
    lacking = Counter(template.replicas)
    kept: list[Replica] = []
    extra: list[Replica] = []
    for replica in sorted(coming, key=lambda replica: _preference(replica, template)):
        if lacking[replica.shape] > 0:
            lacking[replica.shape] -= 1
            kept.append(replica)
        else:
            extra.append(replica)
    return Fit(kept=tuple(kept), extra=tuple(extra), missing=tuple(lacking.elements()))


def _as_cut(template: Template, coming: Sequence[Replica]) -> bool:
    """Whether each place of the cut has just its replica: so it is nearly always, and quick to see."""
    shapes = template.replicas
    if len(coming) != len(shapes) or len({replica.position for replica in coming}) != len(shapes):
        return False
    return all(r.position < len(shapes) and r.shape == shapes[r.position] for r in coming)


def _preference(replica: Replica, template: Template) -> tuple[int, bool, int]:
    at = replica.position
    elsewhere = at >= len(template.replicas) or template.replicas[at] != replica.shape
    return _COMING[replica.status], elsewhere, at


def free_position(template: Template, shape: ReplicaShape, used: Iterable[int]) -> int:
    """The number for a new engine of `shape`: its own in the cut if it is free, else the first beyond."""
    taken = set(used)
    own = (at for at, known in enumerate(template.replicas) if known == shape and at not in taken)
    beyond = (at for at in range(len(template.replicas), len(template.replicas) + len(taken) + 1))
    return next(own, next(at for at in beyond if at not in taken))


def gpus_of(template: Template) -> int:
    """GPUs that a node has for its replicas; no fewer than its cut says it uses."""
    return max(template.gpu_count * template.instances, sum(shape.gpu_count for shape in template.replicas))


def gpus_used(on_node: Iterable[Replica]) -> int:
    """GPUs of engines that run or may run: an intent holds none."""
    return sum(
        replica.shape.gpu_count
        for replica in on_node
        if replica.live and replica.status is not ReplicaStatus.PLANNED
    )
