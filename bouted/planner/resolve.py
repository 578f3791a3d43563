"""A changed problem solved again in about a second, by look-ups alone: for what-if questions."""

from collections.abc import Mapping
from dataclasses import replace

from bouted.market.egress import FREE
from bouted.perf.profile import Metric
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design, Estimate, Frontier, Judge, Progress, ScoredDesign
from bouted.planner.goals import Targets
from bouted.planner.judge import ProfilesJudge
from bouted.planner.planned import Incumbent
from bouted.planner.problem import PlanningProblem
from bouted.planner.search import propose
from bouted.planner.terms import SwitchingCosts
from bouted.quality.curve import QualityCurve

SWEEP = 16


def resolve(problem: PlanningProblem, *, sweep: int = SWEEP) -> Frontier:
    """The front by profile look-ups, from a short sweep. The same problem gives the same front."""
    effort = replace(problem.effort, sweep=sweep, evaluations=0)
    return propose(replace(problem, effort=effort), _unheard, _standing_still)


def around(problem: PlanningProblem, design: Design, scale: Mapping[Metric, float]) -> PlanningProblem:
    """The problem of serving this load where `design` runs already and moving is free.

    The latency targets are scaled: with what `scale_of` says of a plan, look-ups leave the plan as far from
    its targets as the simulator found it.
    """
    running = Incumbent(plan_id="", nodes=design.nodes, shares=design.shares)
    still = replace(
        problem,
        incumbent=running,
        switching=SwitchingCosts(start_h=0.0, overlap_h=0.0),
        weights=(),
        egress=FREE,
        past=(),
    )
    return replace(still, targets=_scaled(problem.targets, scale))


def scale_of(problem: PlanningProblem, design: Design, estimate: Estimate) -> dict[Metric, float]:
    """Per metric, the looked-up P95 of a design over the simulated one; 1 where it cannot be told."""
    looked_up = _looked_up(problem, design) if estimate.judge is Judge.SIMULATED else None
    if looked_up is None:
        return dict.fromkeys(Metric, 1.0)
    return {
        metric: looked_up.estimate.p95_s(metric) / seconds if (seconds := estimate.p95_s(metric)) > 0 else 1.0
        for metric in Metric
    }


def _looked_up(problem: PlanningProblem, design: Design) -> ScoredDesign | None:
    curve = QualityCurve.from_model(problem.quality, problem.seed, resamples=1)
    return ProfilesJudge(problem, Capacities(problem.profiles, problem.targets), curve).score(design)


def _scaled(targets: Targets, scale: Mapping[Metric, float]) -> Targets:
    def times(limit: float | None, metric: Metric) -> float | None:
        return None if limit is None else limit * scale[metric]

    return replace(
        targets,
        ttft_p95_s=times(targets.ttft_p95_s, Metric.TTFT),
        tpot_p95_s=times(targets.tpot_p95_s, Metric.TPOT),
        e2e_p95_s=times(targets.e2e_p95_s, Metric.E2E),
        classes=tuple(
            replace(
                item,
                ttft_p95_s=times(item.ttft_p95_s, Metric.TTFT),
                tpot_p95_s=times(item.tpot_p95_s, Metric.TPOT),
                e2e_p95_s=times(item.e2e_p95_s, Metric.E2E),
            )
            for item in targets.classes
        ),
    )


def _unheard(progress: Progress) -> None:
    """Nobody watches a search this short."""


def _standing_still() -> float:
    """A clock for which the deadline never comes, so that the answer is the same on any machine."""
    return 0.0
