"""Which nodes are cut anew in place, and which are replaced instead. Pure.

In place when the plan's other replicas serve what would leave, or when there is no room for a new node beside
the old one; then one node at a time, and only if the serving floor leaves room for its new engines. Replicas
beyond the places of the new cut leave before the node is cut, the others after, one by one.
"""

from collections import Counter
from dataclasses import dataclass

from bouted.reconcile.actions import LaunchNode, Recut, RecutNode
from bouted.reconcile.cuts import gpus_of, gpus_used
from bouted.reconcile.fleet import Replica
from bouted.reconcile.launches import Answer, Launches
from bouted.reconcile.scene import Scene
from bouted.reconcile.standing import HeldBy
from bouted.reconcile.states import NodeStatus, ReplicaStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Recuts:
    """Launches, re-cuts to write now, and the replicas that other re-cuts wait for."""

    launches: tuple[LaunchNode, ...] = ()
    actions: tuple[RecutNode, ...] = ()
    in_the_way: tuple[Replica, ...] = ()


def recuts(scene: Scene, room: Launches, again: list[LaunchNode]) -> Recuts:
    """What is cut anew now; nodes that are to be replaced instead go to `room`."""
    in_place: list[Recut] = []
    stuck: list[Recut] = []
    for cut in scene.changes.recut:
        leaving = Counter(r.shape.model for r in cut.leaving if r.status is ReplicaStatus.READY)
        free = scene.covered(leaving) and not room.closed
        if not leaving or free or (_begun(scene, cut) and not room.closed):
            in_place.append(cut)
        elif _cannot_be_replaced(cut, room):
            stuck.append(cut)
    if stuck and not in_place and not _moving(scene, room):
        in_place += _make_way(scene, room, stuck)
    return Recuts(
        launches=(*again, *room.actions),
        actions=tuple(RecutNode(node=c.node, planned=c.planned) for c in in_place if not _beyond(c)),
        in_the_way=tuple(replica for cut in in_place for replica in _beyond(cut)),
    )


def _beyond(cut: Recut) -> tuple[Replica, ...]:
    """Replicas in places that the new cut does not have."""
    return tuple(r for r in cut.leaving if r.position >= len(cut.planned.template.replicas))


def _begun(scene: Scene, cut: Recut) -> bool:
    """Some of it is leaving already."""
    return any(replica.status is ReplicaStatus.DRAINING for replica in scene.on.get(cut.node.name, ()))


def _cannot_be_replaced(cut: Recut, room: Launches) -> bool:
    """Asks for a new node beside the old one; whether that cannot be had."""
    return room.ask(cut.planned) is Answer.BLOCKED or room.waiting(cut.planned)


def _moving(scene: Scene, room: Launches) -> bool:
    """Something else is under way that may make room: one thing at a time."""
    changes = scene.changes
    launching = any(node.status is NodeStatus.LAUNCHING for node in changes.keep)
    return bool(room.actions or launching or changes.surplus or changes.start or changes.extra)


def _make_way(scene: Scene, room: Launches, stuck: list[Recut]) -> list[Recut]:
    """The first that can be cut anew although what leaves is not covered."""
    if room.closed:
        scene.hold(HeldBy.CLOSED, "", f"moves wait: {room.closed}")
        return []
    for cut in stuck:
        if _fits_beside_the_floor(scene, cut):
            return [cut]
        scene.hold(
            HeldBy.FLOOR,
            cut.node.name,
            f"{cut.node.name} cannot be cut anew: what must go on serving leaves no room on it, and no other "
            "machine can be had; more surge_usd_per_hour or a smaller min_replicas would let it",
        )
    return []


def _fits_beside_the_floor(scene: Scene, cut: Recut) -> bool:
    """Whether each model that must go on serving from here finds a place for a new engine meanwhile."""
    template = cut.planned.template
    stays = _protected(scene, cut)
    if stays is None:
        return False
    leaving = {replica.name for replica in cut.leaving}
    others = [r for r in scene.on.get(cut.node.name, ()) if r.name not in leaving]
    free = gpus_of(template) - gpus_used(others) - gpus_used(stays)
    taken = {replica.position for replica in stays}
    places = [template.replicas[at] for at in cut.lacking if at not in taken]
    return all(
        any(shape.model == model and shape.gpu_count <= free for shape in places)
        for model in {replica.shape.model for replica in stays}
    )


def _protected(scene: Scene, cut: Recut) -> list[Replica] | None:
    """The smallest replicas that the floor keeps on the node for a while; None when they cannot stay."""
    within = len(cut.planned.template.replicas)
    serves = [r for r in cut.leaving if r.status is ReplicaStatus.READY]
    found: list[Replica] = []
    for model, count in Counter(replica.shape.model for replica in serves).items():
        needed = max(0, scene.must_stay(model) - (scene.serving[model] - count))
        can_stay = [r for r in serves if r.shape.model == model and r.position < within]
        if len(can_stay) < needed:
            return None
        found += sorted(can_stay, key=lambda r: (r.shape.gpu_count, r.name))[:needed]
    return found
