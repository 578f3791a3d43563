"""Which nodes are cut anew in place, and which are replaced instead. Pure.

In place when the plan's other replicas serve what would leave, or when there is no room for a new node beside
the old one; then one node at a time, and only if the serving floor leaves room for its new engines.
"""

from collections import Counter

from bouted.reconcile.actions import Recut, RecutNode
from bouted.reconcile.cuts import gpus_of, gpus_used
from bouted.reconcile.fleet import Replica
from bouted.reconcile.launches import Answer, Launches
from bouted.reconcile.scene import Scene
from bouted.reconcile.standing import HeldBy
from bouted.reconcile.states import NodeStatus, ReplicaStatus


def recuts(scene: Scene, room: Launches) -> list[RecutNode]:
    """Nodes to cut anew now; those that are to be replaced go to `room`."""
    actions: list[RecutNode] = []
    stuck: list[Recut] = []
    for cut in scene.changes.recut:
        leaving = Counter(r.shape.model for r in cut.leaving if r.status is ReplicaStatus.READY)
        if not leaving or (scene.covered(leaving) and not room.closed):
            actions.append(_recut(cut))
        elif _replaced(cut, room):
            stuck.append(cut)
    if stuck and not actions and not _moving(scene, room):
        actions += _make_way(scene, room, stuck)
    return actions


def _replaced(cut: Recut, room: Launches) -> bool:
    """Asks for a new node beside the old one; whether that cannot be had."""
    return room.ask(cut.planned) is Answer.BLOCKED or room.waiting(cut.planned)


def _moving(scene: Scene, room: Launches) -> bool:
    """Something else is under way that may make room: one thing at a time."""
    launching = any(node.status is NodeStatus.LAUNCHING for node in scene.changes.keep)
    return bool(
        room.actions or launching or scene.changes.surplus or scene.changes.start or scene.changes.extra
    )


def _make_way(scene: Scene, room: Launches, stuck: list[Recut]) -> list[RecutNode]:
    """The first that can be cut anew although what leaves is not covered."""
    if room.closed:
        scene.hold(HeldBy.CLOSED, "", f"moves wait: {room.closed}")
        return []
    for cut in stuck:
        if _fits_beside_the_floor(scene, cut):
            return [_recut(cut)]
        scene.hold(
            HeldBy.FLOOR,
            cut.node.name,
            f"{cut.node.name} cannot be cut anew: what must go on serving leaves no room on it, and no other "
            "machine can be had; more surge_usd_per_hour or a smaller min_replicas would let it",
        )
    return []


def _fits_beside_the_floor(scene: Scene, cut: Recut) -> bool:
    """Whether each model that must go on serving from here finds room for a new engine meanwhile."""
    template = cut.planned.template
    serves = [r for r in cut.leaving if r.status is ReplicaStatus.READY]
    stays = _protected(scene, serves)
    others = [r for r in scene.on.get(cut.node.name, ()) if r not in cut.leaving]
    free = gpus_of(template) - gpus_used(others) - gpus_used(stays)
    return all(
        any(shape.model == model and shape.gpu_count <= free for shape in cut.missing)
        for model in {replica.shape.model for replica in stays}
    )


def _protected(scene: Scene, serves: list[Replica]) -> list[Replica]:
    """The smallest replicas that the floor keeps on the node."""
    found: list[Replica] = []
    for model, count in Counter(replica.shape.model for replica in serves).items():
        elsewhere = scene.serving[model] - count
        needed = max(0, scene.must_stay(model) - elsewhere)
        own = sorted((r for r in serves if r.shape.model == model), key=lambda r: r.shape.gpu_count)
        found += own[:needed]
    return found


def _recut(cut: Recut) -> RecutNode:
    return RecutNode(node=cut.node, planned=cut.planned)
