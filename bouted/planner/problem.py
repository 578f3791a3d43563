"""Everything a plan depends on, as one frozen value. The same problem and seed give the same plan."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase

from bouted.market.egress import FREE, Egress, Place
from bouted.market.offers import Market, Offer
from bouted.perf.profile import Metric, ProfileTable
from bouted.perf.shapes import ReplicaShape
from bouted.quality.evals import QualityModel
from bouted.workload.profile import WorkloadProfile


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
class ModelRules:
    """What the config says about one model. Empty tuples allow everything; regions are globs."""

    name: str
    clouds: tuple[str, ...]
    regions: tuple[str, ...]
    min_replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTargets:
    """P95 targets of a class of requests of its own: those of `prompt_tokens_from` tokens or more.

    A request belongs to the class with the highest `prompt_tokens_from` that it reaches.
    """

    name: str
    prompt_tokens_from: int
    ttft_p95_s: float | None = None
    tpot_p95_s: float | None = None
    e2e_p95_s: float | None = None

    def of(self, metric: Metric) -> float | None:
        """The P95 target of `metric`, if one is set."""
        return _of(self, metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What must hold. `objective` is the latency that plans are compared by; it is one of those set.

    `classes` ascend in `prompt_tokens_from`; theirs hold beside those of all requests together.
    """

    ttft_p95_s: float | None
    tpot_p95_s: float | None
    e2e_p95_s: float | None
    quality_min: float
    objective: Metric
    classes: tuple[ClassTargets, ...] = ()

    def of(self, metric: Metric) -> float | None:
        """The P95 target of `metric`, if one is set."""
        return _of(self, metric)


def _of(targets: Targets | ClassTargets, metric: Metric) -> float | None:
    return {
        Metric.TTFT: targets.ttft_p95_s,
        Metric.TPOT: targets.tpot_p95_s,
        Metric.E2E: targets.e2e_p95_s,
    }[metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Dollars an hour a plan may cost, and how much more may be committed while moving."""

    usd_per_hour: Decimal
    surge_usd_per_hour: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchingCosts:
    """What moving costs, in hours of the node's price: started nodes pay `start_h`, dropped ones
    `overlap_h` (both run until the new one is ready). Each GiB of weights that a node fetches adds
    `fetch_h_per_gib` to its start."""

    start_h: float
    overlap_h: float
    fetch_h_per_gib: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRules:
    """The largest share of each model's need that may stand on spot: in all, in one pool (an instance type
    in a zone), and in one zone."""

    max_share: float
    pool_max_share: float = 1.0
    zone_max_share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `gpus` GPUs of this type may be held at once over the offers it covers. `region` is a glob."""

    provider: str
    region: str
    gpu: str
    market: Market
    gpus: int

    def covers(self, offer: Offer) -> bool:
        """Whether nodes of the offer count against it."""
        mine = (offer.provider, offer.gpu, offer.market) == (self.provider, self.gpu, self.market)
        return mine and fnmatchcase(offer.region, self.region)


class Risk(StrEnum):
    """What is made of a latency over several scenarios."""

    MEAN = "mean"
    """The P95 of all their requests together, each scenario at its odds."""
    CVAR = "cvar"
    """The mean P95 of the worst ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """Over how many scenarios designs are judged, lost nodes apart, and what counts: all of them, or the
    worst `tail` share."""

    risk: Risk = Risk.MEAN
    tail: float = 0.25
    scenarios: int = 3


class Rule(StrEnum):
    """Which design of the front to run, of those that meet every target."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    """The lowest P95 within the budget."""
    KNEE = "knee"
    """Where giving up a little of one objective stops to buy much of another."""
    PREFERENCE = "preference"
    """The best by the weights given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """The rule to choose by. The weights are for PREFERENCE only; they need not sum to 1."""

    rule: Rule = Rule.CHEAPEST
    cost: float = 1.0
    latency: float = 0.0
    quality: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLife:
    """How long a price of this offer is expected to hold from now, in hours, learned from its history."""

    offer_id: str
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The part of a model's capacity, 0..1, that is on one type of GPU."""

    model: str
    gpu: str
    part: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastJudgement:
    """What one simulation of an earlier search taught: a design's description, and the natural logarithm of
    simulated over looked-up P95 of the objective.

    `busy` is per model the part of what its replicas could carry that they did; `placed` is where they ran.
    """

    shares: tuple[float, ...]
    factors: tuple[float, ...]
    headroom: float
    spot_share: float
    usd_per_hour: float
    log_ratio: float
    busy: tuple[float, ...] = ()
    placed: tuple[Placed, ...] = ()


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
    load to plan for. `weights` and `egress` tell what fetching weights adds to a move;
    `committed_usd_per_hour` is paid whatever is planned. `price_lives` names offers whose prices have a
    history; other prices are taken to hold `price_life_h`. `groups` is how many equal instances may serve
    one pipeline together (1: none do). `past` is what the last search simulated.
    """

    offers: tuple[Offer, ...]
    models: tuple[ModelRules, ...]
    profiles: ProfileTable
    workload: WorkloadProfile
    quality: QualityModel
    targets: Targets
    budget: Budget
    spot: SpotRules
    switching: SwitchingCosts
    incumbent: Incumbent | None
    effort: Effort
    seed: int
    weights: tuple[ModelWeights, ...] = ()
    egress: Egress = FREE
    committed_usd_per_hour: Decimal = Decimal(0)
    quotas: tuple[Quota, ...] = ()
    robustness: Robustness = Robustness()
    preference: Preference = Preference()
    price_life_h: float = 6.0
    price_lives: tuple[PriceLife, ...] = ()
    groups: int = 1
    past: tuple[PastJudgement, ...] = ()
