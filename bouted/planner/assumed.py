"""What a plan took for granted, and where each figure came from. Pure; read from the stored problem."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import fmean

from bouted.catalog.gpus import Evidence
from bouted.market.offers import Confidence, Market
from bouted.planner.design import Estimate, Judge
from bouted.planner.plan import Plan
from bouted.planner.problem import PlanningProblem
from bouted.workload.profile import WorkloadSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAssumed:
    """The price of one offer that the plan uses `count` instances of, as old as it was when planning.

    `quoted_usd_per_hour` is set where the cloud's bills taught another price than it quotes.
    """

    offer: str
    count: int
    usd_per_hour: Decimal
    source: str
    age_s: float
    confidence: Confidence
    hazard_per_hour: float
    holds_h: float | None
    quoted_usd_per_hour: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsAssumed:
    """Where the step times of one replica shape are from, how sure they are (relative half-width of a
    10-90 % interval), and what measurements made of them: `tempo` times as long, None: nothing yet."""

    shape: str
    evidence: Evidence
    spread: float
    tempo: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAssumed:
    """The load planned for, requests/s with its interval, and the mean tokens of a request."""

    source: WorkloadSource
    samples: int
    rate_per_s: float
    rate_low_per_s: float
    rate_high_per_s: float
    arrival_cv: float
    prompt_tokens: float
    output_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityAssumed:
    """On how many evaluated prompts quality rests, whether a real model answered them, or whether the scores
    were only declared."""

    prompts: int
    synthetic: bool
    declared: bool
    mean: float
    low: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingAssumed:
    """Hours of a node's price that starting and dropping it cost, learned from `starts` and `fetches` here
    (0: declared), and GiB of weights per model, as they were fetched for those that are `measured`."""

    start_h: float
    overlap_h: float
    fetch_h_per_gib: float
    weights_gib: tuple[tuple[str, float], ...]
    starts: int = 0
    fetches: int = 0
    measured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """Everything taken for granted. `scenarios` is over how many the simulator judged, 0: look-ups."""

    prices: tuple[PriceAssumed, ...]
    steps: tuple[StepsAssumed, ...]
    load: LoadAssumed
    quality: QualityAssumed
    moving: MovingAssumed
    scenarios: int
    latency_spread: float


def assumed(problem: PlanningProblem, plan: Plan) -> Assumed:
    """What `plan`, made of `problem`, rests on."""
    return Assumed(
        prices=_prices(problem, plan, plan.created_at),
        steps=_steps(problem, plan),
        load=_load(problem),
        quality=_quality(problem, plan.estimate),
        moving=MovingAssumed(
            start_h=problem.switching.start_h,
            overlap_h=problem.switching.overlap_h,
            fetch_h_per_gib=problem.switching.fetch_h_per_gib,
            weights_gib=tuple((weights.model, weights.gib) for weights in problem.weights),
            starts=problem.switching.starts,
            fetches=problem.switching.fetches,
            measured=tuple(weights.model for weights in problem.weights if weights.measured),
        ),
        scenarios=problem.robustness.scenarios if plan.estimate.judge is Judge.SIMULATED else 0,
        latency_spread=plan.estimate.spread,
    )


def _prices(problem: PlanningProblem, plan: Plan, at: datetime) -> tuple[PriceAssumed, ...]:
    counts = Counter[str]()
    for node in plan.design.nodes:
        counts[node.offer.id] += node.template.instances
    lives = {life.offer_id: life.hours for life in problem.price_lives}
    offers = {node.offer.id: node.offer for node in plan.design.nodes}
    return tuple(
        PriceAssumed(
            offer=offer.id,
            count=counts[offer.id],
            usd_per_hour=offer.usd_per_hour,
            source=offer.source,
            age_s=(at - offer.observed_at).total_seconds(),
            confidence=offer.confidence,
            hazard_per_hour=offer.hazard_per_hour,
            holds_h=None if offer.market is Market.OWNED else lives.get(offer.id, problem.price_life_h),
            quoted_usd_per_hour=offer.quoted_usd_per_hour,
        )
        for offer in sorted(offers.values(), key=lambda item: item.id)
    )


def _steps(problem: PlanningProblem, plan: Plan) -> tuple[StepsAssumed, ...]:
    used = sorted({shape.id for node in plan.design.nodes for shape in node.template.replicas})
    known = problem.profiles.by_shape
    return tuple(
        StepsAssumed(
            shape=shape,
            evidence=known[shape].evidence,
            spread=known[shape].costs.spread,
            tempo=learned.tempo if (learned := known[shape].learned) is not None else None,
        )
        for shape in used
        if shape in known
    )


def _load(problem: PlanningProblem) -> LoadAssumed:
    load = problem.workload
    return LoadAssumed(
        source=load.source,
        samples=load.samples,
        rate_per_s=load.rate_per_s,
        rate_low_per_s=load.rate_low_per_s,
        rate_high_per_s=load.rate_high_per_s,
        arrival_cv=load.arrival_cv,
        prompt_tokens=fmean(length.prompt_tokens for length in load.lengths) if load.lengths else 0.0,
        output_tokens=fmean(length.output_tokens for length in load.lengths) if load.lengths else 0.0,
    )


def _quality(problem: PlanningProblem, estimate: Estimate) -> QualityAssumed:
    return QualityAssumed(
        prompts=len(problem.quality.scores),
        synthetic=problem.quality.synthetic,
        declared=problem.quality.declared,
        mean=estimate.quality,
        low=estimate.quality_low,
    )
