"""Everything a plan depends on, as one frozen value. The same problem and seed give the same plan."""

from dataclasses import dataclass
from decimal import Decimal

from bouted.market.egress import FREE, Egress
from bouted.market.offers import Offer
from bouted.perf.profile import ProfileTable
from bouted.planner.goals import BY_COST, BY_MEAN, Preference, Robustness, Targets
from bouted.planner.past import PastJudgement
from bouted.planner.planned import Incumbent
from bouted.planner.terms import Budget, ModelWeights, PriceLife, Quota, SpotRules, SwitchingCosts
from bouted.quality.evals import QualityModel
from bouted.workload.profile import WorkloadProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRules:
    """What the config says about one model. Empty tuples allow everything; regions are globs."""

    name: str
    clouds: tuple[str, ...]
    regions: tuple[str, ...]
    min_replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to search: `sweep` cheap evaluations, `evaluations` simulated ones, a deadline."""

    sweep: int
    evaluations: int
    deadline_s: float


@dataclass(frozen=True, kw_only=True)
class PlanningProblem:
    """All that planning may look at.

    `models` are in the order of `quality.models` (least able first). `weights` and `egress` tell what
    fetching weights adds to a move; `committed_usd_per_hour` is paid whatever is planned and is no part of
    the budget. `budget` is what is left beside `adopted_usd_per_hour`, the price of what others run for us.
    `price_lives` names offers whose prices have a history; other prices are taken to hold `price_life_h`.
    `groups` is how many equal instances may serve one pipeline together (1: none do). `past` is what the last
    search simulated.
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
    adopted_usd_per_hour: Decimal = Decimal(0)
    quotas: tuple[Quota, ...] = ()
    robustness: Robustness = BY_MEAN
    preference: Preference = BY_COST
    price_life_h: float = 6.0
    price_lives: tuple[PriceLife, ...] = ()
    groups: int = 1
    past: tuple[PastJudgement, ...] = ()
