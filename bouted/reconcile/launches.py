"""Which launches there is room for: dollars, stock, surge, time, and what failed lately. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, auto

from bouted.market.offers import Offer
from bouted.planner.planned import PlannedNode
from bouted.reconcile.actions import LaunchNode
from bouted.reconcile.backoff import MOST_S, LaunchWaits
from bouted.reconcile.fleet import Node
from bouted.reconcile.guards import Bill, refuse_bill
from bouted.reconcile.leaving import committed_ahead
from bouted.reconcile.names import node_name
from bouted.reconcile.scene import Scene, models_of
from bouted.reconcile.standing import HeldBy
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus

_LEAVING = frozenset({ReplicaStatus.DRAINING, ReplicaStatus.NEEDS_ATTENTION})


class Answer(Enum):
    """Whether a launch is made now, waits its turn, or cannot be made until something makes way."""

    LAUNCHED = auto()
    LATER = auto()
    BLOCKED = auto()


@dataclass(slots=True, kw_only=True)
class Launches:
    """Takes launches one by one as long as there is room for them.

    `need_usd_per_hour`, `short_offers` and `crowded` say what those that were blocked lack: dollars (of as
    many as may launch at once), machines of an offer, and room for so many replicas of a model.
    """

    scene: Scene
    closed: str
    waits: LaunchWaits
    committed: Decimal
    launching: int
    stock: Counter[str]
    coming: Counter[str]
    slots: set[str]
    used: dict[str, int]
    actions: list[LaunchNode] = field(default_factory=list)
    need_usd_per_hour: Decimal = Decimal(0)
    blocked: int = 0
    short_offers: Counter[str] = field(default_factory=Counter)
    crowded: Counter[str] = field(default_factory=Counter)

    def ask(self, planned: PlannedNode) -> Answer:
        """Launch a node for this place of the plan, if it can be done now."""
        slot = self._free_slot(planned)
        offer_id = planned.offer.id
        if self.waits.slot(slot) or self.waits.offer(offer_id):
            failed = f"launches of {offer_id} failed lately, the next one waits up to {MOST_S / 60:.0f} min"
            self.scene.hold(HeldBy.BACK_OFF, offer_id, failed)
            return Answer.LATER
        answer = self._take(self._intent(planned, slot), models_of(planned.template), fresh=True)
        if answer is Answer.LAUNCHED:
            self.slots.add(slot)
            self.used[slot] = self.used.get(slot, 0) + 1
        return answer

    def waiting(self, planned: PlannedNode) -> bool:
        """Whether launches of this offer fail for now."""
        return self.waits.offer(planned.offer.id)

    def ask_again(self, node: Node) -> Answer:
        """Carry out an intent that was written and not acted on."""
        return self._take(replace(node, offer=self._priced(node.offer)), Counter(), fresh=False)

    def _take(self, node: Node, adds: Counter[str], *, fresh: bool) -> Answer:
        if self._lacks_room(node, adds, fresh=fresh):
            return Answer.BLOCKED
        if self.launching >= self.scene.limits.max_launches:
            return Answer.LATER
        self.launching += 1
        self.committed += node.usd_per_hour
        self.stock[node.offer.id] += node.template.instances if fresh else 0
        self.coming += adds
        self.waits.asked(node.offer.id)
        self.actions.append(LaunchNode(node=node))
        return Answer.LAUNCHED

    def _lacks_room(self, node: Node, adds: Counter[str], *, fresh: bool) -> bool:
        """Whether something keeps it from being launched; notes what."""
        scene, offer = self.scene, node.offer
        if self.closed and adds and all(self.coming[m] >= scene.wanted[m] for m in adds):
            scene.hold(HeldBy.CLOSED, "", f"moves wait: {self.closed}")
            return True
        if fresh and self.stock[offer.id] + node.template.instances > offer.obtainable:
            scene.hold(HeldBy.STOCK, offer.id, f"no more than {offer.obtainable} of {offer.id} can be had")
            self.short_offers[offer.id] = max(1, self.short_offers[offer.id])
            return True
        full = self._crowded_by(adds)
        if full:
            most = scene.limits.max_surge_replicas
            scene.hold(HeldBy.SURGE, full, f"{full} would have over {most} replicas more than planned")
            self.crowded[full] = max(self.crowded[full], self._over(full, adds[full]))
            return True
        return self._costs_too_much(node)

    def _crowded_by(self, adds: Counter[str]) -> str:
        return next((model for model, count in adds.items() if self._over(model, count) > 0), "")

    def _over(self, model: str, count: int) -> int:
        """Replicas of a model over what is allowed if so many came."""
        most = self.scene.limits.max_surge_replicas
        return 0 if most is None else self.coming[model] + count - self.scene.wanted[model] - most

    def _costs_too_much(self, node: Node) -> bool:
        bill = Bill(
            launch_usd_per_hour=node.usd_per_hour,
            committed_usd_per_hour=self.committed,
            month_usd=self.scene.standing.month_usd,
        )
        refusal = refuse_bill(bill, self.scene.limits)
        if refusal is None:
            return False
        if self.committed + node.usd_per_hour > self.scene.limits.most_usd_per_hour:
            self.blocked += 1
            if self.blocked + self.launching <= self.scene.limits.max_launches:
                self.need_usd_per_hour += node.usd_per_hour
            surge = self.committed + node.usd_per_hour - self.scene.limits.cap_usd_per_hour
            enough = f"budget.surge_usd_per_hour of {surge:.2f} is enough for it"
            self.scene.hold(HeldBy.CAP, "", f"launching a {node.offer.id} {refusal}; {enough}")
        else:
            self.scene.hold(HeldBy.MONTH, "", f"launching a {node.offer.id} {refusal}")
        return True

    def _free_slot(self, planned: PlannedNode) -> str:
        """The planned slot, or the next equal one: a node that was cut anew keeps the slot of its name."""
        if planned.slot not in self.slots:
            return planned.slot
        stem = planned.slot.rsplit("#", 1)[0]
        return next(s for n in range(len(self.slots) + 1) if (s := f"{stem}#{n}") not in self.slots)

    def _priced(self, offer: Offer) -> Offer:
        """The offer at the price believed now: a plan may be older than a rise."""
        price = self.scene.standing.usd_per_hour.get(offer.id, offer.usd_per_hour)
        return offer if price == offer.usd_per_hour else replace(offer, usd_per_hour=price)

    def _intent(self, planned: PlannedNode, slot: str) -> Node:
        standing, incarnation = self.scene.standing, self.used.get(slot, 0) + 1
        return Node(
            name=node_name(standing.deployment, slot, incarnation),
            slot=slot,
            incarnation=incarnation,
            plan_id=standing.plan_id,
            offer=self._priced(planned.offer),
            template=planned.template,
            launcher=standing.launcher,
            status=NodeStatus.PLANNED,
            reason=Reason.PLAN,
            since=self.scene.now,
            launched_at=None,
        )


def launches(scene: Scene, closed: str) -> Launches:
    """Nothing launched yet. `closed` is why nothing may be moved now, "" when it may."""
    nodes = scene.fleet.nodes
    stock: Counter[str] = Counter()
    for node in nodes:
        stock[node.offer.id] += node.template.instances if node.live else 0
    return Launches(
        scene=scene,
        closed=closed,
        waits=LaunchWaits(scene.fleet, scene.now),
        committed=committed_ahead(scene.fleet, scene.now),
        launching=sum(node.status is NodeStatus.LAUNCHING for node in nodes),
        stock=stock,
        coming=_coming(scene),
        slots={node.slot for node in nodes if node.live},
        used=dict(scene.fleet.incarnations),
    )


def most_needed_first(scene: Scene, wanted: Iterable[PlannedNode]) -> list[PlannedNode]:
    """Those with a model that serves less than it must, then the others, each in the plan's order."""
    floors = {rule.name: rule.min_replicas for rule in scene.standing.rules}

    def can_wait(planned: PlannedNode) -> bool:
        models = (shape.model for shape in planned.template.replicas)
        return all(scene.serving[model] >= max(1, floors.get(model, 0)) for model in models)

    return sorted(wanted, key=can_wait)


def _coming(scene: Scene) -> Counter[str]:
    """Replicas per model that are there or on their way: what the cuts of kept nodes promise, and what lives
    besides."""
    found: Counter[str] = Counter()
    for node in scene.changes.keep:
        found.update(shape.model for shape in node.template.replicas)
    besides = [*scene.changes.surplus, *(cut.node for cut in scene.changes.recut)]
    there = [replica for node in besides for replica in scene.on.get(node.name, ())]
    there = [replica for replica in there if replica.live and replica.status not in _LEAVING]
    found.update(replica.shape.model for replica in (*there, *scene.changes.extra))
    return found
