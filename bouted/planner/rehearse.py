"""A design put through a scenario: what is left of its fleet, and what becomes of every request."""

import numpy as np

from bouted.perf.simulate import FleetReplica, RequestTimes, simulate_fleet
from bouted.planner.capacity import Capacities
from bouted.planner.design import Design
from bouted.planner.losses import Losses
from bouted.planner.problem import PlanningProblem
from bouted.planner.scenarios import Scenario
from bouted.planner.sharing import weights


class Rehearsal:
    """Runs scenarios of one problem on the event simulator."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._workload = problem.workload
        self._capacities = capacities
        self._costs = {p.shape.id: p.costs for p in problem.profiles.profiles}
        self._losses = Losses(problem)

    def run(self, design: Design, scenario: Scenario) -> RequestTimes:
        """Times of each request of the trace, infinite where it is never answered.

        A model that is left without a replica has its queries served by the next abler one that has any, as
        the gateway does. Without one they count as never answered, for the planned quality is not given.
        """
        shares = np.cumsum([item.share for item in design.shares])
        wanted = np.minimum(np.searchsorted(shares, scenario.draws, side="right"), len(shares) - 1)
        replicas = self._left(design, scenario.number)
        served = np.array(heirs(len(shares), {replica.model_index for replica in replicas}))
        return simulate_fleet(
            replicas, scenario.arrivals_s, served[wanted], scenario.prompt_tokens, scenario.output_tokens
        )

    def _left(self, design: Design, number: int) -> tuple[FleetReplica, ...]:
        """The replicas that scenario `number` leaves. Weights are those of the whole fleet, as planned."""
        index = {item.model: m for m, item in enumerate(design.shares)}
        weight = weights(design, self._workload, self._capacities)
        return tuple(
            FleetReplica(costs=self._costs[shape.id], model_index=index[shape.model], weight=weight[shape.id])
            for node in design.nodes
            if not self._losses.lost(number, node)
            for shape in node.template.replicas
        )


def heirs(models: int, up: set[int]) -> list[int]:
    """Which model serves the queries of each: itself, else the next abler one in `up`, else still itself."""
    return [next((heir for heir in range(model, models) if heir in up), model) for model in range(models)]
