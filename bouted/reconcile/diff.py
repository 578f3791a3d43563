"""(plan, fleet) -> what differs. Pure."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bouted.planner.planned import PlannedNode, Template
from bouted.reconcile.actions import ChangeSet, Place, Recut
from bouted.reconcile.cuts import Fit, fit, overlap
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.states import NodeStatus, ReplicaStatus

KEEPABLE = frozenset({NodeStatus.PLANNED, NodeStatus.LAUNCHING, NodeStatus.UP})

Replicas = Mapping[str, tuple[Replica, ...]]


def diff(
    wanted: tuple[PlannedNode, ...],
    fleet: FleetState,
    launcher: str,
    behind: frozenset[str] = frozenset(),
) -> ChangeSet:
    """How `fleet` differs from `wanted`, as far as `launcher` started it.

    A node matches a wanted one of the same slot, offer and cut, else one of the same offer and cut, else it
    is cut anew for one of the same offer: the node that keeps most replicas so. Each is used once, so equal
    nodes are kept whatever their ordinals; nodes that are `behind` with their engines only where there are
    no others. Nodes that are stopping, need attention or are taken back by their provider match nothing.
    """
    on = replicas_by_node(fleet)
    ours = [node for node in fleet.nodes if node.launcher == launcher]
    there = [node for node in ours if node.status in KEEPABLE]
    staying = (node for node in there if node.leaves_at is None)
    pool = _Pool(free={node.name: node for node in sorted(staying, key=lambda node: node.name in behind)})
    keep, rest = pool.take_slots(wanted, behind)
    more, rest = pool.take_equal(rest)
    keep += more
    recut, launch = pool.take_recuts(rest, on)
    keep.sort(key=lambda node: node.name)
    fits = [(node, fit(node.template, on.get(node.name, ()))) for node in keep]
    kept = [replica for _, found in fits for replica in found.kept]
    kept += [r for cut in recut for r in fit(cut.planned.template, on.get(cut.node.name, ())).kept]
    return ChangeSet(
        keep=tuple(keep),
        launch=tuple(launch),
        recut=tuple(recut),
        surplus=tuple(sorted(pool.free.values(), key=lambda node: node.name)),
        start=tuple(place for node, found in fits for place in _places(node, found)),
        extra=tuple(replica for _, found in fits for replica in found.extra),
        ready=tuple(replica for replica in kept if replica.status is ReplicaStatus.READY),
        foreign=tuple(node for node in fleet.nodes if node.live and node.launcher != launcher),
        attention=tuple(node for node in ours if node.status is NodeStatus.NEEDS_ATTENTION),
        leaving=tuple(node for node in there if node.leaves_at is not None),
    )


def replicas_by_node(fleet: FleetState) -> dict[str, tuple[Replica, ...]]:
    """The replicas of each node that has some, in name order."""
    found: defaultdict[str, list[Replica]] = defaultdict(list)
    for replica in fleet.replicas:
        found[replica.node].append(replica)
    return {name: tuple(replicas) for name, replicas in found.items()}


@dataclass(slots=True, kw_only=True)
class _Pool:
    """Nodes that match nothing yet, by name."""

    free: dict[str, Node]
    cut_ids: dict[int, str] = field(default_factory=dict)

    def take_slots(
        self, wanted: Iterable[PlannedNode], behind: frozenset[str]
    ) -> tuple[list[Node], list[PlannedNode]]:
        """The nodes that stand in the very slot they were launched for, and what is left of `wanted`."""
        by_slot: defaultdict[str, deque[Node]] = defaultdict(deque)
        for node in self.free.values():
            if node.name not in behind:
                by_slot[node.slot].append(node)
        taken, rest = [], []
        for planned in wanted:
            here = by_slot.get(self._slot(planned))
            if here and here[0].template == planned.template:
                taken.append(self.free.pop(here.popleft().name))
            else:
                rest.append(planned)
        return taken, rest

    def take_equal(self, wanted: Iterable[PlannedNode]) -> tuple[list[Node], list[PlannedNode]]:
        """Nodes of the same offer and cut, and what is left of `wanted`."""
        equal: defaultdict[tuple[str, str], deque[Node]] = defaultdict(deque)
        for node in self.free.values():
            equal[node.offer.id, self._cut_id(node.template)].append(node)
        taken, rest = [], []
        for planned in wanted:
            here = equal.get((planned.offer.id, self._cut_id(planned.template)))
            if here:
                taken.append(self.free.pop(here.popleft().name))
            else:
                rest.append(planned)
        return taken, rest

    def take_recuts(
        self, wanted: Iterable[PlannedNode], on: Replicas
    ) -> tuple[list[Recut], list[PlannedNode]]:
        """Nodes of the same offer to be cut anew, and what is left of `wanted`."""
        cuts: defaultdict[tuple[str, int], dict[str, deque[Node]]] = defaultdict(dict)
        for node in self.free.values():
            same_cut = cuts[node.offer.id, node.template.instances]
            same_cut.setdefault(self._cut_id(node.template), deque()).append(node)
        taken, rest = [], []
        for planned in wanted:
            here = cuts.get((planned.offer.id, planned.template.instances), {})
            best = max(
                here, key=lambda cut: (overlap(here[cut][0].template, planned.template), cut), default=""
            )
            if best not in here:
                rest.append(planned)
                continue
            node = self.free.pop(here[best].popleft().name)
            if not here[best]:
                del here[best]
            found = fit(planned.template, on.get(node.name, ()))
            taken.append(Recut(node=node, planned=planned, leaving=found.extra, lacking=found.lacking))
        return taken, rest

    def _slot(self, planned: PlannedNode) -> str:
        return f"{planned.offer.id}#{self._cut_id(planned.template)}#{planned.ordinal}"

    def _cut_id(self, template: Template) -> str:
        """`template.id`, worked out once for each of the values that plan and fleet are made of."""
        known = self.cut_ids.get(id(template))
        if known is None:
            known = self.cut_ids[id(template)] = template.id
        return known


def _places(node: Node, found: Fit) -> list[Place]:
    """Where engines are missing on a node that is up; an intent that was not carried out is no engine."""
    if node.status is not NodeStatus.UP:
        return []
    intents = [replica for replica in found.kept if replica.status is ReplicaStatus.PLANNED]
    places = [Place(node=node, position=r.position, shape=r.shape, intent=r) for r in intents]
    places += [Place(node=node, position=at, shape=node.template.replicas[at]) for at in found.lacking]
    return sorted(places, key=lambda place: place.position)
