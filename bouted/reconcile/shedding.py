"""What goes when the fleet costs more than it may, although no action made it so. Pure."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from bouted.reconcile.actions import OnBreach
from bouted.reconcile.fleet import Node
from bouted.reconcile.leaving import committed_to_stay
from bouted.reconcile.scene import Scene, models_of
from bouted.reconcile.standing import HeldBy
from bouted.reconcile.states import NodeStatus


def breach(scene: Scene) -> str:
    """How a cap is broken now, "" while none is."""
    limits, spent = scene.limits, scene.standing.month_usd
    if limits.cap_usd_per_month is not None and spent >= limits.cap_usd_per_month:
        return f"${spent:.2f} were spent this month, the cap is ${limits.cap_usd_per_month:.2f}"
    committed = committed_to_stay(scene.fleet)
    if committed > limits.most_usd_per_hour:
        most = limits.most_usd_per_hour
        return f"${committed:.2f}/h is committed at the prices of now, the cap is ${most:.2f}/h"
    return ""


def shed(scene: Scene) -> tuple[Node, ...]:
    """The nodes that go until the cap holds: the surplus first, then the dearest of the plan's own; empty
    while no cap is broken.

    The serving floor stays unless the config says `on_breach: stop`. What serves nothing goes before what
    does, so a node that began to leave goes on leaving.
    """
    why = breach(scene)
    if not why:
        return ()
    excess = _excess_usd_per_hour(scene)
    kept = (*scene.changes.keep, *(cut.node for cut in scene.changes.recut))
    serving = Counter(scene.serving)
    gone: list[Node] = []
    for node in (*_in_turn(scene, scene.changes.surplus), *_in_turn(scene, kept)):
        here = Counter(replica.shape.model for replica in scene.ready_on(node))
        if excess <= 0:
            break
        if node.usd_per_hour <= 0 or not _may_go(scene, serving, here):
            continue
        gone.append(node)
        serving -= here
        excess -= node.usd_per_hour
    scene.hold(HeldBy.SHEDDING, "", f"{why}; {_told(scene, gone, excess)}")
    return tuple(gone)


def _excess_usd_per_hour(scene: Scene) -> Decimal:
    """What must go, beyond what is ending already; all that costs when the month is spent."""
    ending = (n for n in scene.fleet.nodes if n.status is NodeStatus.STOPPING and n.leaves_at is None)
    committed = committed_to_stay(scene.fleet) - sum((node.usd_per_hour for node in ending), Decimal(0))
    cap = scene.limits.cap_usd_per_month
    if cap is not None and scene.standing.month_usd >= cap:
        return committed
    return committed - scene.limits.most_usd_per_hour


def _may_go(scene: Scene, serving: Counter[str], here: Counter[str]) -> bool:
    if scene.limits.on_breach is OnBreach.STOP:
        return True
    return all(serving[model] - count >= scene.least.get(model, 0) for model, count in here.items())


def _in_turn(scene: Scene, nodes: Iterable[Node]) -> list[Node]:
    """What serves nothing and is not waited for, then the dearest."""
    floors = {rule.name: rule.min_replicas for rule in scene.standing.rules}

    def turn(node: Node) -> tuple[bool, Decimal, str]:
        needed = any(scene.serving[model] < floors.get(model, 0) for model in models_of(node.template))
        return bool(scene.ready_on(node)) or needed, -node.usd_per_hour, node.name

    return sorted((node for node in nodes if node.paid), key=turn)


def _told(scene: Scene, gone: list[Node], excess: Decimal) -> str:
    nodes = f"{len(gone)} {'node goes' if len(gone) == 1 else 'nodes go'}"
    if excess <= 0:
        return nodes
    if scene.limits.on_breach is OnBreach.KEEP_FLOOR:
        return f"{nodes}, the rest is the serving floor and stays: see budget.on_breach and min_replicas"
    return f"{nodes}, nothing else may be stopped from here"
