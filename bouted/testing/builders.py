"""Small planning problems with hand-made profiles. For tests of whatever plans, selects or carries plans."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import log

import numpy as np

from bouted.catalog.gpus import Evidence
from bouted.catalog.precision import Precision
from bouted.market.egress import FREE, Egress
from bouted.market.offers import Offer
from bouted.perf.costs import roofline
from bouted.perf.profile import QUANTILES, LoadPoint, Metric, Profile, ProfileTable
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.planner.goals import Targets
from bouted.planner.planned import Incumbent
from bouted.planner.problem import Effort, ModelRules, PlanningProblem
from bouted.planner.terms import Budget, ModelWeights, SpotRules, SwitchingCosts
from bouted.quality.evals import QualityModel
from bouted.workload.profile import RequestLength, WorkloadProfile, WorkloadSource

LOADS = (0.05, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)


def a_shape(model: str, gpu: str = "L4", *, tp: int = 1, pp: int = 1) -> ReplicaShape:
    """A bf16 vLLM replica."""
    return ReplicaShape(model=model, gpu=gpu, tp=tp, pp=pp, precision=Precision.BF16, engine=Engine.VLLM)


def a_profile(shape: ReplicaShape, *, idle_s: float, max_rate: float) -> Profile:
    """Latency of a single server that is stable just beyond `max_rate`: `idle_s` plus an exponential wait.

    Decoding takes a tenth of the idle time per token, end to end ten times it.
    """
    points = tuple(_point(idle_s, max_rate, load) for load in LOADS)
    costs = roofline(
        overhead_s=idle_s / 10,
        weights_s=idle_s / 10,
        compute_s_per_token=idle_s / 1000,
        kv_s_per_token=0.0,
        kv_capacity_tokens=200_000,
        max_batch=64,
        max_step_tokens=2048,
        evidence=Evidence.ROOFLINE,
        spread=0.2,
    )
    return Profile(shape=shape, costs=costs, points=points, evidence=Evidence.ROOFLINE)


def _point(idle_s: float, max_rate: float, load: float) -> LoadPoint:
    used = load / 1.05
    waits = [-log(1 - min(q, 0.998)) * used / (1 - used) * idle_s / 4 for q in QUANTILES]
    ttft = tuple(idle_s + wait for wait in waits)
    return LoadPoint(
        rate_per_s=load * max_rate,
        ttft_s=ttft,
        tpot_s=tuple(idle_s / 10 * (1 + used * q) for q in QUANTILES),
        e2e_s=tuple(10 * idle_s + wait for wait in waits),
    )


def a_table(rates: Mapping[ReplicaShape, float], *, idle_s: float = 0.1) -> ProfileTable:
    """Profiles by the highest rate of each shape; all as fast when idle."""
    return ProfileTable(
        profiles=tuple(a_profile(shape, idle_s=idle_s, max_rate=rate) for shape, rate in rates.items())
    )


def a_quality(
    models: Sequence[str], *, low: float = 0.6, high: float = 0.9, prompts: int = 400
) -> QualityModel:
    """Evals in which models rise evenly from `low` to `high`, and the router ranks prompts perfectly."""
    rng = np.random.default_rng(7)
    difficulty = np.sort(rng.random(prompts))
    ability = np.linspace(low, high, len(models)) if len(models) > 1 else np.array([high])
    passed = difficulty[:, None] <= ability[None, :] + rng.normal(0, 0.02, (prompts, len(models)))
    return QualityModel(
        models=tuple(models),
        router_scores=tuple(float(x) for x in difficulty),
        scores=tuple(tuple(float(x) for x in row) for row in passed),
        scorer_hash="hand-made",
        synthetic=True,
    )


def a_workload(rate: float = 10.0, *, high: float | None = None) -> WorkloadProfile:
    """Poisson arrivals of requests of a few lengths."""
    rng = np.random.default_rng(11)
    lengths = zip(rng.integers(50, 800, 64), rng.integers(20, 300, 64), strict=True)
    return WorkloadProfile(
        rate_per_s=rate,
        rate_low_per_s=rate,
        rate_high_per_s=high or rate,
        arrival_cv=1.0,
        lengths=tuple(RequestLength(prompt_tokens=int(p), output_tokens=int(o)) for p, o in lengths),
        source=WorkloadSource.DECLARED,
        samples=0,
    )


def targets(
    *,
    ttft: float | None = None,
    tpot: float | None = None,
    e2e: float | None = None,
    quality: float = 0.0,
    objective: Metric | None = None,
) -> Targets:
    """P95 targets in seconds; the first one set is the objective unless one is named."""
    by_metric = {Metric.TTFT: ttft, Metric.TPOT: tpot, Metric.E2E: e2e}
    named = [metric for metric, limit in by_metric.items() if limit is not None]
    return Targets(
        ttft_p95_s=ttft, tpot_p95_s=tpot, e2e_p95_s=e2e, quality_min=quality, objective=objective or named[0]
    )


def rules(
    name: str, *, clouds: tuple[str, ...] = (), regions: tuple[str, ...] = (), least: int = 0
) -> ModelRules:
    """What a config says about one model."""
    return ModelRules(name=name, clouds=clouds, regions=regions, min_replicas=least)


def a_problem(
    offers: Sequence[Offer],
    profiles: ProfileTable,
    models: Sequence[ModelRules],
    *,
    workload: WorkloadProfile | None = None,
    quality: QualityModel | None = None,
    wanted: Targets | None = None,
    budget: str = "1000",
    spot_max_share: float = 1.0,
    start_h: float = 0.1,
    overlap_h: float = 0.1,
    incumbent: Incumbent | None = None,
    sweep: int = 64,
    evaluations: int = 0,
    deadline_s: float = 60.0,
    seed: int = 1,
    weights: Sequence[ModelWeights] = (),
    egress: Egress = FREE,
) -> PlanningProblem:
    """A whole problem; everything that a test does not name is generous."""
    return PlanningProblem(
        offers=tuple(sorted(offers, key=lambda offer: offer.id)),
        models=tuple(models),
        profiles=profiles,
        workload=workload or a_workload(),
        quality=quality or a_quality([item.name for item in models]),
        targets=wanted or targets(ttft=100.0),
        budget=Budget(usd_per_hour=Decimal(budget), surge_usd_per_hour=Decimal(budget)),
        spot=SpotRules(max_share=spot_max_share),
        switching=SwitchingCosts(start_h=start_h, overlap_h=overlap_h),
        incumbent=incumbent,
        effort=Effort(sweep=sweep, evaluations=evaluations, deadline_s=deadline_s),
        seed=seed,
        weights=tuple(weights),
        egress=egress,
    )
