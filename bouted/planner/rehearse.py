"""A design put through its scenarios: what is left of its fleet, and what becomes of every request."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.perf.simulate import FleetReplica, RequestTimes, simulate_fleet
from bouted.planner.capacity import Capacities
from bouted.planner.counted import answered
from bouted.planner.design import Design
from bouted.planner.latency import FOREVER_S
from bouted.planner.losses import Losses
from bouted.planner.planned import PlannedNode
from bouted.planner.problem import PlanningProblem
from bouted.planner.scenarios import Scenario, scenarios
from bouted.planner.sharing import weights

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Odds of being short of a node that are not worth simulating: on-demand nodes are hardly ever taken.
NEGLIGIBLE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What became of a scenario's requests, its odds, and how long what nobody answered has waited."""

    scenario: Scenario
    times: RequestTimes
    odds: float
    unanswered_s: float

    def answered(self, members: Bools | None = None) -> tuple[Floats, Floats, Floats] | None:
        """TTFT, TPOT and end-to-end of each request that counts, or of these; None of none."""
        return answered(self.times, self.unanswered_s, members)


class Rehearsal:
    """Runs designs of one problem through its scenarios on the event simulator."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self.scenarios = scenarios(problem)
        self._workload = problem.workload
        self._capacities = capacities
        self._costs = {p.shape.id: p.costs for p in problem.profiles.profiles}
        self._losses = Losses(problem)

    def runs(self, design: Design) -> list[Run]:
        """Each scenario with the whole fleet; then the expected one with the fleet short of nodes, if any may
        be lost: the odds of these are together those of missing a node at some moment.
        """
        gone = self._losses.odds(design.nodes)
        gone = gone if gone > NEGLIGIBLE else 0.0
        whole = (1 - gone) / len(self.scenarios)
        runs = [
            Run(scenario=item, times=self._times(design, item), odds=whole, unanswered_s=FOREVER_S)
            for item in self.scenarios
        ]
        expected = self.scenarios[0]
        runs += [
            Run(
                scenario=expected,
                times=self._times(design, expected, short.missing),
                odds=short.odds,
                unanswered_s=short.lasts_s,
            )
            for short in (self._losses.shortages(design.nodes) if gone else ())
        ]
        return runs

    def _times(
        self, design: Design, scenario: Scenario, missing: tuple[PlannedNode, ...] = ()
    ) -> RequestTimes:
        """One scenario on the nodes that are left.

        A model without a replica has its queries served by the next abler one that has any, as the gateway
        does. Where there is none, nobody answers them until the missing nodes are replaced: a less able
        model would not give the quality that was planned.
        """
        shares = np.cumsum([item.share for item in design.shares])
        wanted = np.minimum(np.searchsorted(shares, scenario.draws, side="right"), len(shares) - 1)
        replicas = self._left(design, {node.slot for node in missing})
        served = np.array(heirs(len(shares), {replica.model_index for replica in replicas}))
        return simulate_fleet(
            replicas, scenario.arrivals_s, served[wanted], scenario.prompt_tokens, scenario.output_tokens
        )

    def _left(self, design: Design, missing: set[str]) -> tuple[FleetReplica, ...]:
        """The replicas on the other nodes. Weights are those of the whole fleet, as planned."""
        index = {item.model: m for m, item in enumerate(design.shares)}
        weight = weights(design, self._workload, self._capacities)
        return tuple(
            FleetReplica(costs=self._costs[shape.id], model_index=index[shape.model], weight=weight[shape.id])
            for node in design.nodes
            if node.slot not in missing
            for shape in node.template.replicas
        )


def heirs(models: int, up: set[int]) -> list[int]:
    """Which model serves the queries of each: itself, else the next abler one in `up`, else still itself."""
    return [next((heir for heir in range(model, models) if heir in up), model) for model in range(models)]
