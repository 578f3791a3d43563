"""Our own planner in the paper's scenario: `propose`, asked for the fastest fleet within the budget.

It is told what every method is told: finite-horizon profiles, prices, what can be had, the floor. It plans
for a P95 target, so it is asked to beat its own best until it finds little that is faster, then thoroughly at
about that target. It simulates nothing itself: its judge's runs are not as long as the scenario's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic

import numpy as np
from planner_paper_allocate import GPUS, Means
from planner_paper_judge import MODELS, Fleet, FleetJudge, fleet
from planner_paper_parameters import EVALUATIONS, LARGE, RATE_PER_S, SEED, USD_PER_HOUR
from planner_paper_world import World

from bouted.market.offers import Confidence, Market, Offer
from bouted.perf.profile import Metric
from bouted.planner.design import Design
from bouted.planner.problem import (
    Budget,
    Effort,
    ModelRules,
    PlanningProblem,
    Preference,
    Quota,
    Rule,
    SpotRules,
    SwitchingCosts,
    Targets,
)
from bouted.planner.search import propose
from bouted.quality.evals import QualityModel
from bouted.workload.profile import WorkloadProfile, WorkloadSource

SIZES = (1, 2, 4, 8)
WHEN = datetime(2026, 11, 1, tzinfo=UTC)
SLOWEST_S = 2000.0
MOST_ASKS, FASTER, HARDLY = 12, 0.92, 0.995
"""Each quick ask is for a target so much below the best; the last hardly found anything faster."""
NEARLY = 1.03
"""Then thorough asks, for targets so much above the best: near the edge little is feasible."""
QUICK_SWEEP, SWEEP = 64, 400
FASTEST = EVALUATIONS * 2 // 3
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a floor on quality for a router of this quality, and what a fleet may be made of.

    It is asked thoroughly so many times, each with another seed.
    """

    quality: QualityModel
    floor: float
    means: Means
    thorough: int


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


def ours(judge: FleetJudge, question: Question) -> list[Fleet]:
    """Fleets of ours that are worth judging, within the budget and on the floor: those fastest by the
    profiles, then some that send more to 70B and take no longer than they must."""
    found: dict[Fleet, float] = {}
    best_s = SLOWEST_S
    for _ in range(MOST_ASKS):
        found |= _asked(judge.world, question, Rule.FASTEST, best_s * FASTER, QUICK_SWEEP, SEED)
        before, best_s = best_s, min(found.values(), default=best_s)
        if best_s > before * HARDLY:
            break
    for n in range(question.thorough):
        found |= _asked(judge.world, question, Rule.FASTEST, best_s * NEARLY, SWEEP, SEED + n)
        best_s = min(found.values(), default=best_s)
    ranked = sorted(found, key=lambda item: found[item])
    better = [
        one
        for at, one in enumerate(ranked)
        if all(one.large_share > faster.large_share for faster in ranked[:at])
    ]
    some = better[:: max(1, -(-len(better) // (EVALUATIONS - FASTEST)))]
    return list(dict.fromkeys([*ranked[:FASTEST], *some, *ranked]))


def cheap(judge: FleetJudge, question: Question, target_s: float) -> list[Fleet]:
    """Fleets that the planner thinks are in time, cheapest first."""
    found: dict[Fleet, float] = {}
    for n in range(question.thorough):
        found |= _asked(judge.world, question, Rule.CHEAPEST, target_s, SWEEP, SEED + n)
    return sorted(found, key=lambda item: item.usd_per_hour)


def _asked(
    world: World, question: Question, rule: Rule, target_s: float, sweep: int, seed: int
) -> dict[Fleet, float]:
    """The fleets of one front, and the P95 that the planner expects of each."""
    front = propose(_problem(world, question, rule, target_s, sweep, seed), _quietly, monotonic)
    return {_as_fleet(item.design): item.estimate.e2e_p95_s for item in front.designs}


def _quietly(_: object) -> None:
    """Nobody watches."""


def _problem(
    world: World, question: Question, rule: Rule, target_s: float, sweep: int, seed: int
) -> PlanningProblem:
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
            e2e_p95_s=target_s,
            quality_min=question.floor,
            objective=Metric.E2E,
        ),
        budget=Budget(usd_per_hour=means.usd_per_hour, surge_usd_per_hour=means.usd_per_hour),
        spot=SpotRules(max_share=0.0),
        switching=SwitchingCosts(start_h=0.0, overlap_h=0.0),
        incumbent=None,
        effort=Effort(sweep=sweep, evaluations=0, deadline_s=DEADLINE_S),
        seed=seed,
        quotas=tuple(
            Quota(provider="paper", region="*", gpu=gpu, market=Market.ON_DEMAND, gpus=count)
            for gpu, count in zip(GPUS, means.available, strict=True)
        ),
        preference=Preference(rule=rule),
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


def _as_fleet(design: Design) -> Fleet:
    share = next(item.share for item in design.shares if item.model == LARGE)
    shapes = [shape for node in design.nodes for shape in node.template.replicas]
    plain = fleet(shapes, share)
    return Fleet(
        replicas=plain.replicas, large_share=plain.large_share, usd_per_hour=Decimal(design.usd_per_hour)
    )
