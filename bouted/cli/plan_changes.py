"""What a plan would change in the fleet, equal nodes taken together. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bouted.catalog.precision import Precision
from bouted.market.offers import Offer
from bouted.perf.shapes import ReplicaShape
from bouted.planner.plan import Plan
from bouted.planner.planned import Template
from bouted.reconcile.actions import ChangeSet


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """`count` equal nodes to keep, launch or stop; `usd_per_hour` is for one of them."""

    change: str
    count: int
    offer: str
    gpu: str
    gpu_count: int
    replicas: tuple[str, ...]
    usd_per_hour: Decimal


def node_lines(plan: Plan, changes: ChangeSet) -> tuple[NodeLine, ...]:
    """Kept nodes first, then those to cut anew, to launch, and to stop; kept ones at the plan's prices."""
    now = {node.offer.id: node.offer for node in plan.design.nodes}
    kept = [(now.get(node.offer.id, node.offer), node.template) for node in changes.keep]
    recut = [(cut.planned.offer, cut.planned.template) for cut in changes.recut]
    launched = [(node.offer, node.template) for node in changes.launch]
    stopped = [(node.offer, node.template) for node in changes.surplus]
    return (
        *_grouped("keep", kept),
        *_grouped("re-cut", recut),
        *_grouped("launch", launched),
        *_grouped("stop", stopped),
    )


def replica_texts(template: Template) -> tuple[str, ...]:
    """The replicas of one node, e.g. `4x small tp1`."""
    counts: dict[str, int] = {}
    for shape in template.replicas:
        counts[_shape(shape)] = counts.get(_shape(shape), 0) + 1
    return tuple(f"{count}x {shape}" for shape, count in counts.items())


def _shape(shape: ReplicaShape) -> str:
    stages = f" pp{shape.pp}" if shape.pp > 1 else ""
    precision = "" if shape.precision is Precision.BF16 else f" {shape.precision}"
    return f"{shape.model} tp{shape.tp}{stages}{precision}"


def _grouped(change: str, nodes: Iterable[tuple[Offer, Template]]) -> list[NodeLine]:
    groups: dict[tuple[str, str], list[tuple[Offer, Template]]] = {}
    for offer, template in nodes:
        groups.setdefault((offer.id, template.id), []).append((offer, template))
    return [
        NodeLine(
            change=change,
            count=len(group),
            offer=offer.id,
            gpu=offer.gpu,
            gpu_count=offer.gpu_count * template.instances,
            replicas=replica_texts(template),
            usd_per_hour=offer.usd_per_hour * template.instances,
        )
        for group in groups.values()
        for offer, template in group[:1]
    ]
