"""The problems that searchers are held against: real layouts at real prices, all fixed by their seeds.

Requests have lognormal lengths with means of 512 tokens in and 200 out, and come as a Poisson process. The
objective and the target are the end-to-end P95 over all queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from planner_ability import ABILITIES, latent_quality
from planner_market import eight_each, many_zones
from planner_tables import CONTEXT_TOKENS, profile_table

from bouted.catalog.precision import Precision
from bouted.market.offers import Offer
from bouted.perf.profile import Metric
from bouted.planner.goals import Targets
from bouted.planner.problem import Effort, ModelRules, PlanningProblem
from bouted.planner.terms import Budget, SpotRules, SwitchingCosts
from bouted.workload.declared import declared_profile

QUALITY_SEED = 5
LENGTH_SEED = 1
PROMPT_TOKENS, OUTPUT_TOKENS = 512, 200
THREE_TYPES = ("A100-80GB", "H100-80GB", "L40S")
SIX_TYPES = ("A100-80GB", "A6000", "H100-80GB", "L4", "L40S", "RTXPRO6000")
ENDLESS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One problem in words. `floor` is the low quality that must be kept, rates are in requests/s."""

    name: str
    models: tuple[str, ...]
    gpus: tuple[str, ...]
    rate_per_s: float
    budget_usd_per_hour: float
    target_p95_s: float
    floor: float
    offers: int = 0

    def problem(self, seed: int, *, effort: Effort | None = None) -> PlanningProblem:
        """The planning problem; `seed` is that of the search and of the judge's traces."""
        workload = declared_profile(
            rate_per_s=self.rate_per_s,
            prompt_tokens=PROMPT_TOKENS,
            output_tokens=OUTPUT_TOKENS,
            arrival_cv=1.0,
            most_tokens=CONTEXT_TOKENS,
            seed=LENGTH_SEED,
        )
        offers = self._offers()
        gpus = tuple(sorted({offer.gpu for offer in offers}))
        return PlanningProblem(
            offers=offers,
            models=tuple(rules_of(self.models)),
            profiles=profile_table(self.models, gpus, workload.lengths, Precision.BF16),
            workload=workload,
            quality=latent_quality({name: ABILITIES[name] for name in self.models}, QUALITY_SEED),
            targets=Targets(
                ttft_p95_s=None,
                tpot_p95_s=None,
                e2e_p95_s=self.target_p95_s,
                quality_min=self.floor,
                objective=Metric.E2E,
            ),
            budget=Budget(
                usd_per_hour=Decimal(str(self.budget_usd_per_hour)),
                surge_usd_per_hour=Decimal(str(self.budget_usd_per_hour)),
            ),
            spot=SpotRules(max_share=0.5),
            switching=SwitchingCosts(start_h=0.1, overlap_h=0.1),
            incumbent=None,
            effort=effort or Effort(sweep=96, evaluations=ENDLESS, deadline_s=60.0),
            seed=seed,
        )

    def _offers(self) -> tuple[Offer, ...]:
        return many_zones(self.offers, QUALITY_SEED) if self.offers else eight_each(self.gpus)


def rules_of(models: Sequence[str]) -> list[ModelRules]:
    """No rules but that the models exist."""
    return [ModelRules(name=name, clouds=(), regions=(), min_replicas=0) for name in models]


def within(problem: PlanningProblem, seconds: float) -> PlanningProblem:
    """The same problem, to be searched for this long whatever was found."""
    effort = Effort(sweep=problem.effort.sweep, evaluations=ENDLESS, deadline_s=seconds)
    return replace(problem, effort=effort)


TWO = Scenario(
    name="2 models, 3 types/24 GPUs",
    models=("llama-3.1-8b", "llama-3.1-70b"),
    gpus=THREE_TYPES,
    rate_per_s=30.0,
    budget_usd_per_hour=45.0,
    target_p95_s=20.0,
    floor=0.80,
)
THREE = Scenario(
    name="3 models, 3 types/24 GPUs",
    models=("llama-3.1-8b", "qwen2.5-32b", "llama-3.1-70b"),
    gpus=THREE_TYPES,
    rate_per_s=50.0,
    budget_usd_per_hour=50.0,
    target_p95_s=20.0,
    floor=0.80,
)
FOUR = Scenario(
    name="4 models, 6 types/48 GPUs",
    models=("llama-3.1-8b", "qwen2.5-14b", "qwen2.5-32b", "llama-3.1-70b"),
    gpus=SIX_TYPES,
    rate_per_s=80.0,
    budget_usd_per_hour=70.0,
    target_p95_s=20.0,
    floor=0.80,
)
LIVE = Scenario(
    name="4 models, 20 types/500 offers",
    models=("llama-3.1-8b", "qwen2.5-14b", "qwen2.5-32b", "llama-3.1-70b"),
    gpus=(),
    rate_per_s=250.0,
    budget_usd_per_hour=250.0,
    target_p95_s=20.0,
    floor=0.80,
    offers=500,
)
