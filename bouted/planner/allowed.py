"""Whether a fleet that the integer programme did not make keeps to what its fleets keep to."""

from collections import Counter

from bouted.planner.design import Design
from bouted.planner.held import held, held_instances
from bouted.planner.limits import quota_gpus
from bouted.planner.problem import PlanningProblem
from bouted.planner.terms import Quota


class Allowed:
    """What can be had, quotas and least replicas, for one problem. The judges know the spread of spot."""

    def __init__(self, problem: PlanningProblem) -> None:
        self._problem = problem
        kept = held(problem.incumbent, problem.offers)
        had = held_instances(kept)
        self._room = {offer.id: max(offer.obtainable, had[offer.id]) for offer in problem.offers}
        self._room |= {offer_id: n for offer_id, n in had.items() if offer_id not in self._room}
        self._quotas = tuple((quota, quota_gpus(quota, kept)) for quota in problem.quotas)

    def __call__(self, design: Design) -> bool:
        """Whether the design may be planned."""
        return self._obtainable(design) and self._replicated(design)

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


def _gpus(design: Design, quota: Quota) -> int:
    nodes = (node for node in design.nodes if quota.covers(node.offer))
    return sum(node.template.instances * node.template.gpu_count for node in nodes)
