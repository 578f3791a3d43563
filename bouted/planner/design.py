"""What a search returns: designs, how each was judged, and the front they form."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bouted.perf.profile import Metric
from bouted.planner.past import PastJudgement
from bouted.planner.planned import ModelShare, PlannedNode


class Judge(StrEnum):
    """Who judged an estimate: profile look-ups, or the event simulator on the whole fleet."""

    PROFILES = "profiles"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeRate:
    """Requests/s that each replica of a shape gets, relative to the others of its model."""

    shape_id: str
    rate_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A fleet and a split. `shares` follow the problem's model order and sum to 1.

    `sharing` is how the replicas of a model share its queries; where it is empty, as `sharing.py` reckons.
    """

    nodes: tuple[PlannedNode, ...]
    shares: tuple[ModelShare, ...]
    sharing: tuple[ShapeRate, ...] = ()

    @property
    def usd_per_hour(self) -> Decimal:
        """What the fleet costs, exactly."""
        return sum((node.usd_per_hour for node in self.nodes), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEstimate:
    """How the requests of one class with targets of its own would do."""

    name: str
    ttft_p95_s: float
    tpot_p95_s: float
    e2e_p95_s: float

    def p95_s(self, metric: Metric) -> float:
        """P95 of `metric`."""
        return _p95_s(self, metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How a design would do. Quality is the mean and the lower end of its 90 % bootstrap interval.

    `bound_usd_per_hour` is the least that any design meeting the floor and the targets could cost, as the
    profiles judge it, by a MILP's dual bound; 0 when unknown. The simulator may be kinder.

    `spread` is the relative half-width of the latency's 10-90 % interval, `usd_spread` that of the cost as
    spot prices move. `classes` are those with targets of their own; only the simulator knows them.
    """

    usd_per_hour: Decimal
    ttft_p95_s: float
    tpot_p95_s: float
    e2e_p95_s: float
    quality: float
    quality_low: float
    bound_usd_per_hour: float
    judge: Judge
    spread: float
    usd_spread: float = 0.0
    classes: tuple[ClassEstimate, ...] = ()

    def p95_s(self, metric: Metric) -> float:
        """P95 of `metric`."""
        return _p95_s(self, metric)

    @property
    def gap_to_bound(self) -> float:
        """How much dearer than the bound, as a share of the bound; 0 when the bound is 0."""
        if self.bound_usd_per_hour <= 0:
            return 0.0
        return max(0.0, float(self.usd_per_hour) / self.bound_usd_per_hour - 1.0)


def _p95_s(found: Estimate | ClassEstimate, metric: Metric) -> float:
    return {
        Metric.TTFT: found.ttft_p95_s,
        Metric.TPOT: found.tpot_p95_s,
        Metric.E2E: found.e2e_p95_s,
    }[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredDesign:
    """A design, its estimate, and the names of the constraints it breaks (empty: feasible)."""

    design: Design
    estimate: Estimate
    violated: tuple[str, ...]


class Ended(StrEnum):
    """Why a search ended."""

    DONE = "done"
    DEADLINE = "deadline"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The non-dominated feasible designs, cheapest first.

    `incumbent` is the plan in force judged in the same way, if there is one and it can be judged.
    `nearest` is the least infeasible design when `designs` is empty. `judged` is what its simulations
    taught, for the next search.
    """

    designs: tuple[ScoredDesign, ...]
    incumbent: ScoredDesign | None
    nearest: ScoredDesign | None
    swept: int
    simulated: int
    seconds: float
    seed: int
    ended: Ended = Ended.DONE
    judged: tuple[PastJudgement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search is. `bound_usd_per_hour` is the least that any design could cost, once known."""

    stage: str
    done: int
    total: int
    best_usd_per_hour: float | None
    seconds: float
    bound_usd_per_hour: float | None = None
    deadline_s: float | None = None
