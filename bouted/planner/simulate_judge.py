"""The dear judge: every engine step of the whole fleet, on a trace per scenario."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bouted.catalog.gpus import Evidence
from bouted.perf.costs import roofline
from bouted.perf.profile import Metric
from bouted.perf.simulate import FleetReplica, RequestTimes, simulate_fleet
from bouted.planner.capacity import Capacities
from bouted.planner.classes import class_numbers
from bouted.planner.counted import p95s, sampling_error
from bouted.planner.design import ClassEstimate, Judge, ScoredDesign
from bouted.planner.judge import ProfilesJudge, violations
from bouted.planner.latency import replica_loads
from bouted.planner.problem import PlanningProblem
from bouted.planner.rehearse import Rehearsal
from bouted.planner.risk import over_scenarios
from bouted.planner.scenarios import scenarios, usd_spread

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
        self._scenarios = scenarios(problem)
        self._classes = [
            class_numbers(problem.targets.classes, scenario.prompt_tokens) for scenario in self._scenarios
        ]

    def score(self, scored: ScoredDesign) -> ScoredDesign:
        """The design judged again: latency is what `problem.robustness` makes of its P95 in each scenario.

        Cost and quality stay those of the planned fleet and split: the floor need only hold for that.
        """
        design, problem = scored.design, self._problem
        runs = [self._rehearsal.run(design, scenario) for scenario in self._scenarios]
        seconds = np.array([p95s(run) for run in runs])
        told = over_scenarios(seconds, problem.robustness)
        loads = replica_loads(design, problem.workload, self._capacities)
        of = list(Metric).index(problem.targets.objective)
        worst = float(seconds[:, of].max() / max(told[of], 1e-9))
        estimate = replace(
            scored.estimate,
            ttft_p95_s=float(told[0]),
            tpot_p95_s=float(told[1]),
            e2e_p95_s=float(told[2]),
            judge=Judge.SIMULATED,
            spread=_spread(self._cheap.spread(loads), float(sampling_error(runs[0])[of]), worst),
            usd_spread=TENTH * usd_spread(design.nodes, self._scenarios),
            classes=self._of_classes(runs),
        )
        broken = (*violations(problem, estimate, loads), *self._cheap.rules_broken(design))
        return ScoredDesign(design=design, estimate=estimate, violated=broken)

    def _of_classes(self, runs: list[RequestTimes]) -> tuple[ClassEstimate, ...]:
        """Each class over the scenarios in which it has requests; left out when it has none at all."""
        found: list[ClassEstimate] = []
        for number, item in enumerate(self._problem.targets.classes):
            each = [p95s(run, mine == number) for run, mine in zip(runs, self._classes, strict=True)]
            rows = [row for row in each if row is not None]
            if rows:
                told = over_scenarios(np.array(rows), self._problem.robustness)
                found.append(
                    ClassEstimate(
                        name=item.name,
                        ttft_p95_s=float(told[0]),
                        tpot_p95_s=float(told[1]),
                        e2e_p95_s=float(told[2]),
                    )
                )
        return tuple(found)


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


def _spread(costs: float, sampling: float, worst: float) -> float:
    """Errors of the step costs, of sampling, and of what may come, taken to be independent.

    `sampling` is a standard error, `worst` the worst scenario's latency over the one that is told.
    """
    coming = max(0.0, worst - 1)
    return float(min(np.sqrt(costs**2 + (TENTH * sampling) ** 2 + coming**2), 10.0))
