"""(changes, fleet, limits, now) -> actions, in an order that is safe to abandon after any one. Pure.

What wins when rules collide, from the top: the caps on dollars, what must go on serving, the mass-stop guard,
disruption windows, new before old. Over a cap that no action broke it sheds, and then nothing is launched.
What providers take back is replaced at once, whatever windows say (`evacuate`).
"""

from datetime import datetime

from bouted.reconcile.actions import (
    Action,
    ChangeSet,
    LaunchNode,
    Limits,
    Place,
    StartReplica,
)
from bouted.reconcile.adopted import is_adopted
from bouted.reconcile.backoff import place_waits
from bouted.reconcile.cuts import gpus_of, gpus_used
from bouted.reconcile.drains import drains
from bouted.reconcile.evacuate import spent
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.launches import Launches, launches, most_needed_first
from bouted.reconcile.names import replica_name
from bouted.reconcile.recuts import Recuts, recuts
from bouted.reconcile.scene import Scene, scene
from bouted.reconcile.shedding import breach, shed
from bouted.reconcile.standing import Decision, HeldBy, Standing
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.reconcile.stops import stops


def order(
    changes: ChangeSet, fleet: FleetState, limits: Limits, now: datetime, standing: Standing
) -> Decision:
    """The next actions, and what waits for what.

    Reading the fleet again and calling this again continues where any prefix of the actions stopped.
    """
    seen = scene(changes, fleet, limits, now, standing)
    room = launches(seen, "" if standing.down else limits.disruption.closed_because(now))
    over = bool(breach(seen)) and not standing.down
    shedding = shed(seen) if over else ()
    gone = frozenset(node.name for node in (*changes.surplus, *shedding)) | spent(seen)
    cuts = Recuts() if over else _launches(seen, room)
    actions: list[Action] = [*stops(seen, gone, cuts.in_the_way), *cuts.launches, *cuts.actions]
    actions += _starts(seen, gone)
    actions += drains(seen, shedding, cuts.in_the_way, room)
    _say_foreign(seen)
    return Decision(actions=tuple(actions), held=tuple(seen.held.values()), agreed=standing.agreed)


def _launches(seen: Scene, room: Launches) -> Recuts:
    """Launches to ask for again, those that there is room for, and re-cuts."""
    kept = (*seen.changes.keep, *(cut.node for cut in seen.changes.recut))
    again = [LaunchNode(node=node) for node in kept if node.name in seen.standing.unseen]
    for node in seen.changes.keep:
        if node.status is NodeStatus.PLANNED:
            room.ask_again(node)
    for planned in most_needed_first(seen, seen.changes.launch):
        room.ask(planned)
    return recuts(seen, room, again)


def _starts(seen: Scene, gone: frozenset[str]) -> list[Action]:
    """Replicas to start where the place is empty and GPUs are free: the intent already written, if any."""
    unreadable = {row.node for row in seen.fleet.unreadable}
    places: dict[str, list[Place]] = {}
    for place in seen.changes.start:
        if place.node.name not in gone and place.node.name not in unreadable:
            places.setdefault(place.node.name, []).append(place)
    return [StartReplica(replica=r) for here in places.values() for r in _starts_on(seen, here)]


def _starts_on(seen: Scene, places: list[Place]) -> list[Replica]:
    node = places[0].node
    on_node = seen.on.get(node.name, ())
    running_on = [r for r in on_node if not r.live and r.name in seen.standing.still_running]
    free = gpus_of(node.template) - gpus_used(on_node) - sum(r.shape.gpu_count for r in running_on)
    found: list[Replica] = []
    for place in places:
        here = [replica for replica in on_node if replica.position == place.position]
        taken = any(replica.live and replica is not place.intent for replica in here)
        if taken or place.shape.gpu_count > free or place_waits(here, seen.now):
            continue
        free -= place.shape.gpu_count
        found.append(place.intent or _intent(place, here, seen.now))
    return found


def _intent(place: Place, here: list[Replica], now: datetime) -> Replica:
    """The next engine at a place."""
    incarnation = max((replica.incarnation for replica in here), default=0) + 1
    return Replica(
        name=replica_name(place.node.name, place.position, incarnation),
        node=place.node.name,
        position=place.position,
        incarnation=incarnation,
        shape=place.shape,
        status=ReplicaStatus.PLANNED,
        reason=Reason.PLAN if incarnation == 1 else Reason.REPLACED,
        since=now,
    )


def _say_foreign(seen: Scene) -> None:
    others: dict[str, list[Node]] = {}
    for node in seen.changes.foreign:
        if not is_adopted(node):
            others.setdefault(node.launcher, []).append(node)
    for launcher, nodes in others.items():
        count = "1 node is" if len(nodes) == 1 else f"{len(nodes)} nodes are"
        seen.hold(
            HeldBy.FOREIGN,
            launcher,
            f"{count} of launcher {launcher}, which the config does not name, and left alone",
        )
