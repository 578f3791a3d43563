"""What is taken off nodes that their provider takes back, and which of them may be ended before. Pure.

A replica there serves as long as it can: until the plan's own serve instead, or until a drain just ends in
time while others of its model serve. The last one that serves is never taken off: better cut than unserved.
"""

from collections import Counter

from bouted.reconcile.fleet import Node, Replica
from bouted.reconcile.leaving import left_s
from bouted.reconcile.scene import Scene, models_of
from bouted.reconcile.states import NodeStatus, ReplicaStatus

LEAD_S = 5.0
"""Between deciding on a drain and the last query that a gateway sends there."""


def evacuees(scene: Scene) -> tuple[Replica, ...]:
    """The replicas that leave the route table now because their node goes, those that go first first."""
    late = {node.name for node in scene.changes.leaving if _is_late(scene, node)}
    stay = _served_elsewhere(scene, late)
    found: list[Replica] = []
    for node in sorted(scene.changes.leaving, key=lambda node: (left_s(node, scene.now), node.name)):
        ready = scene.ready_on(node)
        if scene.replaced(replica.shape.model for replica in ready):
            found += ready
        elif node.name in late:
            found += [replica for replica in ready if stay[replica.shape.model] > 0]
    return tuple(found)


def spent(scene: Scene) -> frozenset[str]:
    """The nodes that nobody needs to wait for any more: replaced, or past their time."""
    return frozenset(
        node.name
        for node in scene.changes.leaving
        if left_s(node, scene.now) <= 0 or scene.replaced(models_of(node.template))
    )


def _is_late(scene: Scene, node: Node) -> bool:
    return left_s(node, scene.now) <= scene.limits.drain_s + LEAD_S


def _served_elsewhere(scene: Scene, late: set[str]) -> Counter[str]:
    """Replicas per model that are routed to and whose node is not about to go."""
    up = {node.name for node in scene.fleet.nodes if node.status is NodeStatus.UP} - late
    ready = (r for r in scene.fleet.replicas if r.status is ReplicaStatus.READY and r.node in up)
    return Counter(replica.shape.model for replica in ready)
