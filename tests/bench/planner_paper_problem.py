"""What our own planner is asked in the paper's scenario."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from planner_paper_allocate import GPUS, Means
from planner_paper_judge import MODELS
from planner_paper_parameters import RATE_PER_S, USD_PER_HOUR
from planner_paper_world import World

from bouted.market.offers import Confidence, Market, Offer
from bouted.perf.profile import Metric
from bouted.planner.goals import Preference, Rule, Targets
from bouted.planner.problem import Effort, ModelRules, PlanningProblem
from bouted.planner.terms import Budget, Quota, SpotRules, SwitchingCosts
from bouted.quality.evals import QualityModel
from bouted.workload.profile import WorkloadProfile, WorkloadSource

SIZES = (1, 2, 4, 8)
WHEN = datetime(2026, 11, 1, tzinfo=UTC)
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a floor on quality for a router of this quality, the least share on 70B that meets it,
    and what a fleet may be made of. The cheapest is asked for so many times, each with another seed."""

    quality: QualityModel
    floor: float
    least_large: float
    means: Means
    thorough: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """How it is asked once. `evaluations` is designs for the dear judge: none where look-ups will do."""

    rule: Rule
    target_s: float
    sweep: int
    evaluations: int
    seed: int


def straight(points: tuple[tuple[float, float], tuple[float, float]]) -> QualityModel:
    """A router whose quality is the line through two points (share on 70B, score of 1).

    Every prompt has the same scores, so resampling changes nothing and no mix of routes does better.
    """
    (x0, y0), (x1, y1) = points
    slope = (y1 - y0) / (x1 - x0)
    small = y0 - slope * x0
    rows = 64
    return QualityModel(
        models=MODELS,
        router_scores=tuple((np.arange(rows) / rows).tolist()),
        scores=((small, small + slope),) * rows,
        scorer_hash="paper",
        synthetic=True,
    )


def problem_of(world: World, question: Question, ask: Ask) -> PlanningProblem:
    """The question, asked so, as our planner's problem."""
    means = question.means
    return PlanningProblem(
        offers=tuple(sorted(_offers(means), key=lambda offer: offer.id)),
        models=tuple(ModelRules(name=name, clouds=(), regions=(), min_replicas=0) for name in MODELS),
        profiles=world.profiles,
        workload=WorkloadProfile(
            rate_per_s=RATE_PER_S,
            rate_low_per_s=RATE_PER_S,
            rate_high_per_s=RATE_PER_S,
            arrival_cv=1.0,
            lengths=world.lengths,
            source=WorkloadSource.DECLARED,
            samples=0,
        ),
        quality=question.quality,
        targets=Targets(
            ttft_p95_s=None,
            tpot_p95_s=None,
            e2e_p95_s=ask.target_s,
            quality_min=question.floor,
            objective=Metric.E2E,
        ),
        budget=Budget(usd_per_hour=means.usd_per_hour, surge_usd_per_hour=means.usd_per_hour),
        spot=SpotRules(max_share=0.0),
        switching=SwitchingCosts(start_h=0.0, overlap_h=0.0),
        incumbent=None,
        effort=Effort(sweep=ask.sweep, evaluations=ask.evaluations, deadline_s=DEADLINE_S),
        seed=ask.seed,
        quotas=tuple(
            Quota(provider="paper", region="*", gpu=gpu, market=Market.ON_DEMAND, gpus=count)
            for gpu, count in zip(GPUS, means.available, strict=True)
        ),
        preference=Preference(rule=ask.rule),
    )


def _offers(means: Means) -> list[Offer]:
    """Parts of a server: 1, 2, 4 or 8 GPUs of a type at the price of one each."""
    return [
        Offer(
            provider="paper",
            region="here",
            zone="",
            instance_type=f"{size}x{gpu}",
            gpu=gpu,
            gpu_count=size,
            market=Market.ON_DEMAND,
            usd_per_hour=USD_PER_HOUR[gpu] * size,
            obtainable=count // size,
            hazard_per_hour=0.0,
            source="paper, table 1",
            observed_at=WHEN,
            confidence=Confidence.HIGH,
        )
        for gpu, count in zip(GPUS, means.available, strict=True)
        for size in SIZES
        if count >= size
    ]
