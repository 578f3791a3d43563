"""Whether a fleet that the integer programme did not make keeps to what its fleets keep to."""

from collections import Counter

from bouted.planner.capacity import LOOSEST, Capacities
from bouted.planner.design import Design
from bouted.planner.held import held, held_instances
from bouted.planner.limits import quota_gpus
from bouted.planner.problem import PlanningProblem, Quota
from bouted.planner.spread import spread_broken


class Allowed:
    """What can be had, quotas, least replicas and the spread of spot, for one problem."""

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._problem = problem
        self._capacities = capacities
        kept = held(problem.incumbent, problem.offers)
        had = held_instances(kept)
        self._room = {offer.id: max(offer.obtainable, had[offer.id]) for offer in problem.offers}
        self._room |= {offer_id: n for offer_id, n in had.items() if offer_id not in self._room}
        self._quotas = tuple((quota, quota_gpus(quota, kept)) for quota in problem.quotas)

    def __call__(self, design: Design) -> bool:
        """Whether the design may be planned."""
        return self._obtainable(design) and self._replicated(design) and not self._lost(design)

    def _obtainable(self, design: Design) -> bool:
        counts = Counter[str]()
        for node in design.nodes:
            counts[node.offer.id] += node.template.instances
        if any(count > self._room.get(offer_id, 0) for offer_id, count in counts.items()):
            return False
        return all(_gpus(design, quota) <= most for quota, most in self._quotas)

    def _replicated(self, design: Design) -> bool:
        counts = Counter(shape.model for node in design.nodes for shape in node.template.replicas)
        return all(counts[rules.name] >= rules.min_replicas for rules in self._problem.models)

    def _lost(self, design: Design) -> tuple[str, ...]:
        return spread_broken(self._problem, design, lambda shape: self._capacities.rate(shape.id, LOOSEST))


def _gpus(design: Design, quota: Quota) -> int:
    nodes = (node for node in design.nodes if quota.covers(node.offer))
    return sum(node.template.instances * node.template.gpu_count for node in nodes)
