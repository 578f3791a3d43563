"""Which replicas leave the route table now. Pure.

What the plan does not want leaves once its own replicas serve instead, or when it holds the room that they
need; never below the serving floor, never more at once than the mass-stop guard and `changes.disruption`
allow.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from bouted.reconcile.actions import DrainReplica, Place
from bouted.reconcile.cuts import gpus_of, gpus_used
from bouted.reconcile.evacuate import evacuees
from bouted.reconcile.fleet import Node, Replica
from bouted.reconcile.guards import most_at_once
from bouted.reconcile.launches import Launches
from bouted.reconcile.leaving import ahead_usd_per_hour
from bouted.reconcile.scene import Scene
from bouted.reconcile.standing import HeldBy
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus


def drains(
    scene: Scene, shed: tuple[Node, ...], in_the_way: tuple[Replica, ...], room: Launches
) -> list[DrainReplica]:
    """The drains to make now, forced ones first: what is shed, what goes with its node. `in_the_way` are
    those that a re-cut waits for."""
    if scene.standing.down:
        return [DrainReplica(replica=r) for r in scene.own if r.status is ReplicaStatus.READY]
    serving = sum(r.status in (ReplicaStatus.READY, ReplicaStatus.DRAINING) for r in scene.own)
    draining = sum(r.status is ReplicaStatus.DRAINING for r in scene.own)
    most = most_at_once(serving, scene.limits)
    noticed = evacuees(scene)
    forced = [*(replica for node in shed for replica in scene.ready_on(node)), *noticed]
    forced = forced[: max(0, most - draining)]
    scene.serving -= Counter(r.shape.model for node in shed for r in scene.ready_on(node))
    wanted_away = [r for r in _Choice(scene=scene, room=room).chosen(shed, in_the_way) if r not in forced]
    count = len(wanted_away) + draining + len(forced)
    if wanted_away and not _agreed(scene, count, serving, most):
        wanted_away = []
    left = max(0, scene.limits.disruption.max_drains - draining - len(forced))
    return [
        *(
            DrainReplica(replica=r, reason=Reason.NOTICED if r in noticed else Reason.SUPERSEDED)
            for r in forced
        ),
        *(DrainReplica(replica=r, reason=_reason(scene, r)) for r in wanted_away[:left]),
    ]


def _reason(scene: Scene, replica: Replica) -> Reason:
    """Upgraded: another version takes its place, on its node or on an equal one."""
    if replica.name not in scene.changes.behind:
        return Reason.SUPERSEDED
    left = (node for node in scene.changes.surplus if node.name == replica.node)
    kept = {(node.offer.id, node.template) for node in scene.changes.keep}
    beside = any((node.offer.id, node.template) in kept for node in left)
    return Reason.UPGRADED if beside or replica in scene.changes.extra else Reason.SUPERSEDED


def _agreed(scene: Scene, count: int, serving: int, most: int) -> bool:
    """Whether so much may be taken out of service at once."""
    if count <= most or scene.standing.agreed:
        return True
    plan = scene.standing.plan_id
    scene.hold(
        HeldBy.MASS_STOP,
        plan,
        f"plan {plan} would stop {count} of {serving} serving replicas at once, changes.max_stop_pct is "
        f"{scene.limits.max_stop_pct:g}: nothing is stopped; if that is right: bouted apply --yes {plan}",
    )
    return False


@dataclass(slots=True, kw_only=True)
class _Choice:
    """Chooses what may leave of its own accord. `need` is what blocked launches lack, and nothing frees yet
    (US dollars an hour)."""

    scene: Scene
    room: Launches
    need: Decimal = Decimal(0)
    picked: dict[str, Replica] = field(default_factory=dict)
    coming: bool = False
    lacking: dict[str, list[Place]] = field(default_factory=dict)

    def chosen(self, shed: tuple[Node, ...], in_the_way: tuple[Replica, ...]) -> list[Replica]:
        """Replicas of surplus nodes, those that began to leave and the dearest first, then those that a new
        cut has no place for, the largest first."""
        self.need = self._short_of()
        self.coming = bool(self.room.actions) or self._something_comes()
        for place in self.scene.changes.start:
            self.lacking.setdefault(place.node.name, []).append(place)
        names = {node.name for node in shed}
        for node in sorted(self.scene.changes.surplus, key=self._turn):
            if node.name not in names:
                self._consider(node)
        for replica in _largest_first(in_the_way):
            self._consider_extra(replica, at_once=True)
        for replica in _largest_first(self.scene.changes.extra):
            self._consider_extra(replica, at_once=False)
        return [] if self._closed() else list(self.picked.values())

    def _closed(self) -> bool:
        if self.picked and self.room.closed:
            self.scene.hold(HeldBy.CLOSED, "", f"moves wait: {self.room.closed}")
        return bool(self.room.closed)

    def _turn(self, node: Node) -> tuple[int, Decimal, str]:
        return len(self.scene.ready_on(node)), -node.usd_per_hour, node.name

    def _consider(self, node: Node) -> None:
        scene = self.scene
        ready = scene.ready_on(node)
        here = Counter(replica.shape.model for replica in ready)
        if not here:
            return
        if not scene.can_spare(here):
            self._say_floor(node.name, here)
        elif scene.replaced(here) or self._makes_way(node, here):
            self.picked |= {replica.name: replica for replica in ready}
            scene.serving -= here
            self.need -= node.usd_per_hour
            self.room.crowded.subtract(here)
            self.room.short_offers[node.offer.id] -= node.template.instances

    def _makes_way(self, node: Node, here: Counter[str]) -> bool:
        """What the node holds is what blocked launches need, and others serve; an only machine is emptied.

        Not while something else comes up: that will cover some of what serves now.
        """
        if self.coming:
            return False
        short = self.room.short_offers[node.offer.id] > 0
        only = short and node.offer.obtainable <= 1
        crowded = any(self.room.crowded[model] > 0 for model in here)
        helps = short or crowded or (self.need > 0 and node.usd_per_hour > 0)
        return only or (helps and self.scene.can_spare(here, leave=1))

    def _something_comes(self) -> bool:
        changes, coming = self.scene.changes, (ReplicaStatus.STARTING, ReplicaStatus.WARMING)
        launching = any(node.status is NodeStatus.LAUNCHING for node in changes.keep)
        kept = (replica for node in changes.keep for replica in self.scene.on.get(node.name, ()))
        return launching or bool(changes.start) or any(replica.status in coming for replica in kept)

    def _short_of(self) -> Decimal:
        """Dollars that blocked launches lack, less what is on its way out."""
        need, scene = self.room.need_usd_per_hour, self.scene
        if not need:
            return need
        leaving = [n for n in scene.fleet.nodes if n.status is NodeStatus.STOPPING]
        leaving += [n for n in scene.changes.surplus if n.paid and not scene.ready_on(n)]
        freed = sum((ahead_usd_per_hour(node, scene.now) for node in leaving), Decimal(0))
        return need - (scene.limits.most_usd_per_hour - self.room.committed) - freed

    def _consider_extra(self, replica: Replica, *, at_once: bool) -> None:
        scene, one = self.scene, Counter({replica.shape.model: 1})
        if not scene.can_spare(one):
            self._say_floor(replica.node, one)
        elif at_once or scene.covered(one) or self._is_in_the_way(replica):
            self.picked[replica.name] = replica
            scene.serving -= one

    def _is_in_the_way(self, replica: Replica) -> bool:
        """It stands in the place of another, or engines of the node's cut wait for GPUs and no more of them
        are being freed already."""
        lacking = self.lacking.get(replica.node, [])
        if not lacking or any(place.position == replica.position for place in lacking):
            return bool(lacking)
        missing = sum(place.shape.gpu_count for place in lacking)
        staying = [
            r
            for r in self.scene.on.get(replica.node, ())
            if r.name not in self.picked and r.status is not ReplicaStatus.DRAINING
        ]
        return missing > gpus_of(lacking[0].node.template) - gpus_used(staying)

    def _say_floor(self, subject: str, here: Counter[str]) -> None:
        """Worth a word only when the plan itself is content with less: otherwise others are on their way."""
        if self.scene.covered(here):
            models = ", ".join(sorted(here))
            self.scene.hold(
                HeldBy.FLOOR,
                subject,
                f"{subject} stays although the plan does not want it: min_replicas of {models}",
            )


def _largest_first(replicas: tuple[Replica, ...]) -> list[Replica]:
    ready = (replica for replica in replicas if replica.status is ReplicaStatus.READY)
    return sorted(ready, key=lambda replica: (-replica.shape.gpu_count, replica.name))
