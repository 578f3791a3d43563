"""The dear judge: every engine step of the whole fleet, on a trace per scenario."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bouted.catalog.gpus import Evidence
from bouted.perf.costs import roofline
from bouted.perf.profile import Metric
from bouted.perf.simulate import FleetReplica, simulate_fleet
from bouted.planner.capacity import Capacities
from bouted.planner.classes import class_numbers
from bouted.planner.counted import sampling_error
from bouted.planner.design import ClassEstimate, Judge, ScoredDesign
from bouted.planner.judge import ProfilesJudge, violations
from bouted.planner.latency import replica_loads
from bouted.planner.problem import PlanningProblem
from bouted.planner.rehearse import Rehearsal, Run
from bouted.planner.risk import LEVEL, over_scenarios
from bouted.planner.scenarios import usd_spread

Floats = npt.NDArray[np.float64]

# Half-width of a normal 10-90 % interval, in standard deviations.
TENTH = 1.2816


class SimulatedJudge:
    """Judges designs of one problem over its scenarios: all meet the same traces and the same luck."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities, cheap: ProfilesJudge) -> None:
        self._problem = problem
        self._capacities = capacities
        self._cheap = cheap
        self._rehearsal = Rehearsal(problem, capacities)
        self._scenarios = self._rehearsal.scenarios
        self._classes = [
            class_numbers(problem.targets.classes, scenario.prompt_tokens) for scenario in self._scenarios
        ]

    def score(self, scored: ScoredDesign) -> ScoredDesign:
        """The design judged again: latency is what `problem.robustness` makes of its scenarios.

        Cost and quality stay those of the planned fleet and split: the floor need only hold for that.
        """
        design, problem = scored.design, self._problem
        runs = self._rehearsal.runs(design)
        told = self._told([run.answered() for run in runs], runs)
        assert told is not None
        loads = replica_loads(design, problem.workload, self._capacities)
        estimate = replace(
            scored.estimate,
            ttft_p95_s=told[0],
            tpot_p95_s=told[1],
            e2e_p95_s=told[2],
            judge=Judge.SIMULATED,
            spread=self._spread(self._cheap.spread(loads), runs, told),
            usd_spread=TENTH * usd_spread(design.nodes, self._scenarios),
            classes=self._of_classes(runs),
        )
        broken = (*violations(problem, estimate, loads), *self._cheap.rules_broken(design))
        return ScoredDesign(design=design, estimate=estimate, violated=broken)

    def _told(
        self, answers: Sequence[tuple[Floats, ...] | None], runs: Sequence[Run]
    ) -> tuple[float, float, float] | None:
        """P95 of TTFT, TPOT and end-to-end over the runs that have requests; None when none has."""
        known = [(answer, run.odds) for answer, run in zip(answers, runs, strict=True) if answer is not None]
        if not known:
            return None
        odds = np.array([part for _, part in known])
        ttft, tpot, e2e = (
            over_scenarios([answer[metric] for answer, _ in known], odds, self._problem.robustness)
            for metric in range(3)
        )
        return ttft, tpot, e2e

    def _of_classes(self, runs: list[Run]) -> tuple[ClassEstimate, ...]:
        """Each class over the runs in which it has requests; left out when it has none at all."""
        found: list[ClassEstimate] = []
        for number, item in enumerate(self._problem.targets.classes):
            told = self._told(
                [run.answered(self._classes[run.scenario.number] == number) for run in runs], runs
            )
            if told is not None:
                ttft, tpot, e2e = told
                found.append(ClassEstimate(name=item.name, ttft_p95_s=ttft, tpot_p95_s=tpot, e2e_p95_s=e2e))
        return tuple(found)

    def _spread(self, costs: float, runs: list[Run], told: tuple[float, float, float]) -> float:
        """Errors of the step costs, of sampling, and of what load may come, taken to be independent."""
        of = list(Metric).index(self._problem.targets.objective)
        whole = (run.answered() for run in runs[: len(self._scenarios)])
        seen = [np.quantile(answer[of], LEVEL) for answer in whole if answer is not None]
        load = max(0.0, float(max(seen)) / max(told[of], 1e-9) - 1)
        sampling = TENTH * float(sampling_error(runs[0].times)[of])
        return float(min(np.sqrt(costs**2 + sampling**2 + load**2), 10.0))


def warm() -> None:
    """Simulate one request, so that the compiled simulator is loaded (or compiled, the first time ever)."""
    one = np.ones(1, dtype=np.int64)
    costs = roofline(
        overhead_s=0.01,
        weights_s=0.01,
        compute_s_per_token=1e-4,
        kv_s_per_token=0.0,
        kv_capacity_tokens=16,
        max_batch=1,
        max_step_tokens=16,
        evidence=Evidence.ROOFLINE,
        spread=0.0,
    )
    simulate_fleet((FleetReplica(costs=costs, model_index=0, weight=1.0),), np.zeros(1), one - 1, one, one)
