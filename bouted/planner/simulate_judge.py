"""The dear judge: every engine step of the whole fleet, on a sampled trace."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bouted.catalog.gpus import Evidence
from bouted.perf.arrivals import arrivals
from bouted.perf.costs import roofline
from bouted.perf.profile import Metric
from bouted.perf.simulate import FleetReplica, RequestTimes, simulate_fleet
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design, Judge, ScoredDesign
from bouted.planner.judge import SPOT, ProfilesJudge, violations
from bouted.planner.latency import replica_loads
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_REQUESTS, MOST_REQUESTS = 3000, 9000
TRACE_S = 90.0
# The part of a trace that counts: after the fleet has filled, before it runs empty.
WARM, LAST = 0.2, 0.97
# A request that no replica can hold, or that waits past this, counts as this long.
FOREVER_S = 1e6
# Half-width of a normal 10-90 % interval, in standard deviations.
TENTH = 1.2816


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """One trace. `draws` (uniform, one per request) decide its model, so designs see the same luck."""

    arrivals_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints
    draws: Floats


class SimulatedJudge:
    """Judges designs of one problem on the same traces: two at the expected load, one at its high end."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities, cheap: ProfilesJudge) -> None:
        self._problem = problem
        self._capacities = capacities
        self._cheap = cheap
        self._costs = {p.shape.id: p.costs for p in problem.profiles.profiles}
        workload = problem.workload
        self._expected = [_scenario(problem, workload.rate_per_s, n) for n in (0, 1)]
        surge = workload.rate_high_per_s > workload.rate_per_s * 1.001
        self._high = _scenario(problem, workload.rate_high_per_s, 0) if surge else None

    def score(self, scored: ScoredDesign) -> ScoredDesign:
        """The design judged again; cost and quality stay, latency is the mean of P95 at the expected load."""
        design, workload = scored.design, self._problem.workload
        replicas = self._replicas(design)
        shares = np.cumsum([item.share for item in design.shares])
        tails = np.array([_p95s(_run(replicas, shares, scenario)) for scenario in self._expected])
        mean = tails.mean(axis=0)
        loads = replica_loads(design, workload.rate_per_s, self._capacities)
        worst = _p95s(_run(replicas, shares, self._high)) if self._high else mean
        objective = list(Metric).index(self._problem.targets.objective)
        estimate = replace(
            scored.estimate,
            ttft_p95_s=float(mean[0]),
            tpot_p95_s=float(mean[1]),
            e2e_p95_s=float(mean[2]),
            judge=Judge.SIMULATED,
            spread=_spread(self._cheap.spread(loads), tails[:, objective], worst[objective]),
        )
        broken = violations(self._problem, estimate, loads)
        if SPOT in scored.violated:
            broken = (*broken, SPOT)
        return ScoredDesign(design=design, estimate=estimate, violated=broken)

    def _replicas(self, design: Design) -> tuple[FleetReplica, ...]:
        index = {item.model: m for m, item in enumerate(design.shares)}
        return tuple(
            FleetReplica(
                costs=self._costs[shape.id],
                model_index=index[shape.model],
                weight=self._capacities.weight(shape.id),
            )
            for node in design.nodes
            for shape in node.template.replicas
        )


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


def _scenario(problem: PlanningProblem, rate_per_s: float, number: int) -> Scenario:
    """A trace that depends on the problem's seed and the scenario's number; the rate only stretches it."""
    workload = problem.workload
    n = int(np.clip(workload.rate_per_s * TRACE_S, LEAST_REQUESTS, MOST_REQUESTS))
    rng = np.random.default_rng((problem.seed, number))
    picks = rng.integers(0, len(workload.lengths), n)
    return Scenario(
        arrivals_s=arrivals(rate_per_s, workload.arrival_cv, n, int(rng.integers(2**31))),
        prompt_tokens=np.array([item.prompt_tokens for item in workload.lengths])[picks],
        output_tokens=np.array([item.output_tokens for item in workload.lengths])[picks],
        draws=rng.random(n),
    )


def _run(replicas: tuple[FleetReplica, ...], shares: Floats, scenario: Scenario) -> RequestTimes:
    models = np.minimum(np.searchsorted(shares, scenario.draws, side="right"), len(shares) - 1)
    return simulate_fleet(
        replicas, scenario.arrivals_s, models, scenario.prompt_tokens, scenario.output_tokens
    )


def _p95s(times: RequestTimes) -> Floats:
    """P95 of TTFT, TPOT and end-to-end over the part of the trace that counts."""
    n = len(times.e2e_s)
    part = slice(int(WARM * n), int(LAST * n))
    kept: Sequence[Floats] = (times.ttft_s[part], times.tpot_s[part], times.e2e_s[part])
    return np.array([np.quantile(np.minimum(seconds, FOREVER_S), 0.95) for seconds in kept])


def _spread(costs: float, tails: Floats, worst: float) -> float:
    """Errors of the step costs, of sampling, and of the load, taken to be independent."""
    mean = max(float(tails.mean()), 1e-9)
    sampling = TENTH * float(tails.std(ddof=1)) / np.sqrt(len(tails)) / mean
    load = max(0.0, worst / mean - 1)
    return float(min(np.sqrt(costs**2 + sampling**2 + load**2), 10.0))
