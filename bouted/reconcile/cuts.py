"""Which replicas of a node have a place in its cut, and which places have none. Pure.

A replica's position is its place: its name is derived from it, so no replica ever moves to another place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bouted.planner.planned import Template
from bouted.reconcile.fleet import Replica
from bouted.reconcile.states import ReplicaStatus

_COMING = frozenset(
    {ReplicaStatus.READY, ReplicaStatus.WARMING, ReplicaStatus.STARTING, ReplicaStatus.PLANNED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """kept: replicas that stand in their place. extra: those that have none. lacking: places without one."""

    kept: tuple[Replica, ...]
    extra: tuple[Replica, ...]
    lacking: tuple[int, ...]


def fit(template: Template, on_node: Sequence[Replica]) -> Fit:
    """How the replicas on a node fit a cut. Those that are on their way out or need attention have no place
    and are not extra either."""
    places = template.replicas
    kept: dict[int, Replica] = {}
    extra: list[Replica] = []
    for replica in on_node:
        if replica.status not in _COMING:
            continue
        at = replica.position
        if at < len(places) and at not in kept and replica.shape == places[at]:
            kept[at] = replica
        else:
            extra.append(replica)
    lacking = tuple(at for at in range(len(places)) if at not in kept)
    return Fit(kept=tuple(kept.values()), extra=tuple(extra), lacking=lacking)


def overlap(before: Template, after: Template) -> int:
    """GPUs of the places that are the same in both cuts."""
    both = zip(before.replicas, after.replicas, strict=False)
    return sum(old.gpu_count for old, new in both if old == new)


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
