"""Everything a plan depends on, as one frozen value. The same problem and seed give the same plan."""

from dataclasses import dataclass
from decimal import Decimal

from bouted.market.egress import FREE, Egress, Place
from bouted.market.offers import Offer
from bouted.perf.profile import Metric, ProfileTable
from bouted.perf.shapes import ReplicaShape
from bouted.quality.evals import QualityModel
from bouted.workload.profile import WorkloadProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How one instance is cut into replicas. `replicas` is sorted; equal shapes repeat."""

    gpu: str
    gpu_count: int
    replicas: tuple[ReplicaShape, ...]

    @property
    def id(self) -> str:
        """Readable and unique, e.g. `8xH100-80GB[large:tp4pp1,small:tp1pp1*4]`."""
        parts: dict[str, int] = {}
        for shape in self.replicas:
            label = f"{shape.model}:tp{shape.tp}pp{shape.pp}:{shape.precision}:{shape.engine}"
            parts[label] = parts.get(label, 0) + 1
        cuts = ",".join(label if n == 1 else f"{label}*{n}" for label, n in parts.items())
        return f"{self.gpu_count}x{self.gpu}[{cuts}]"

    @property
    def idle_gpus(self) -> int:
        """GPUs of the instance that no replica uses."""
        return self.gpu_count - sum(shape.gpu_count for shape in self.replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNode:
    """One instance the plan wants: the offer as priced, its cut, and which of several equal ones."""

    offer: Offer
    template: Template
    ordinal: int

    @property
    def slot(self) -> str:
        """Stable identity of this place in the plan, whatever the price is now."""
        return f"{self.offer.id}#{self.template.id}#{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules:
    """What the config says about one model. Empty tuples allow everything; regions are globs."""

    name: str
    clouds: tuple[str, ...]
    regions: tuple[str, ...]
    min_replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What must hold. `objective` is the latency that plans are compared by; it is one of those set."""

    ttft_p95_s: float | None
    tpot_p95_s: float | None
    e2e_p95_s: float | None
    quality_min: float
    objective: Metric

    def of(self, metric: Metric) -> float | None:
        """The P95 target of `metric`, if one is set."""
        return {
            Metric.TTFT: self.ttft_p95_s,
            Metric.TPOT: self.tpot_p95_s,
            Metric.E2E: self.e2e_p95_s,
        }[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Dollars an hour a plan may cost, and how much more may be committed while moving."""

    usd_per_hour: Decimal
    surge_usd_per_hour: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchingCosts:
    """What moving costs, in hours of the node's price: started nodes pay `start_h`, dropped ones
    `overlap_h` (both run until the new one is ready)."""

    start_h: float
    overlap_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWeights:
    """How many GiB a started node fetches for a model, and from where."""

    model: str
    place: Place
    gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to search: `sweep` cheap evaluations, `evaluations` simulated ones, a deadline."""

    sweep: int
    evaluations: int
    deadline_s: float


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


@dataclass(frozen=True, kw_only=True)
class PlanningProblem:
    """All that planning may look at.

    `models` are in the order of `quality.models` (least able first). `headroom` is the share of extra
    load to plan for. `spot_max_share` bounds the spot dollars' share of capacity per model. `weights` and
    `egress` tell what fetching weights adds to a move; `committed_usd_per_hour` is paid whatever is planned.
    """

    offers: tuple[Offer, ...]
    models: tuple[ModelRules, ...]
    profiles: ProfileTable
    workload: WorkloadProfile
    quality: QualityModel
    targets: Targets
    budget: Budget
    spot_max_share: float
    switching: SwitchingCosts
    incumbent: Incumbent | None
    effort: Effort
    seed: int
    weights: tuple[ModelWeights, ...] = ()
    egress: Egress = FREE
    committed_usd_per_hour: Decimal = Decimal(0)
