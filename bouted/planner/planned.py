"""What a plan is made of: instances, how each is cut into replicas, and the split of the queries."""

from dataclasses import dataclass
from decimal import Decimal

from bouted.market.offers import Offer
from bouted.perf.shapes import ReplicaShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How one instance, or a group of `instances` equal ones, is cut into replicas.

    `gpu_count` is of one instance. `replicas` is sorted; equal shapes repeat. A group serves pipelines whose
    stages lie on different instances.
    """

    gpu: str
    gpu_count: int
    replicas: tuple[ReplicaShape, ...]
    instances: int = 1

    @property
    def id(self) -> str:
        """Readable and unique, e.g. `8xH100-80GB[large:tp4pp1,small:tp1pp1*4]`."""
        parts: dict[str, int] = {}
        for shape in self.replicas:
            label = f"{shape.model}:tp{shape.tp}pp{shape.pp}:{shape.precision}:{shape.engine}"
            parts[label] = parts.get(label, 0) + 1
        cuts = ",".join(label if n == 1 else f"{label}*{n}" for label, n in parts.items())
        group = f"{self.instances}*" if self.instances > 1 else ""
        return f"{group}{self.gpu_count}x{self.gpu}[{cuts}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNode:
    """One instance (or group of equal ones) the plan wants: the offer as priced, its cut, and which of
    several equal ones."""

    offer: Offer
    template: Template
    ordinal: int

    @property
    def slot(self) -> str:
        """Stable identity of this place in the plan, whatever the price is now."""
        return f"{self.offer.id}#{self.template.id}#{self.ordinal}"

    @property
    def usd_per_hour(self) -> Decimal:
        """What all its instances cost."""
        return self.offer.usd_per_hour * self.template.instances


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShare:
    """The planned share of queries for one model, 0..1."""

    model: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbent:
    """The plan in force: its nodes (at the prices believed now) and its split."""

    plan_id: str
    nodes: tuple[PlannedNode, ...]
    shares: tuple[ModelShare, ...]
