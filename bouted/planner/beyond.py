"""What a design takes beyond stock, quotas and least replicas: what no judge of designs looks at. Pure."""

from collections import Counter

from bouted.planner.design import Design
from bouted.planner.problem import PlanningProblem

STOCK, QUOTAS = "stock", "quotas"


def beyond(problem: PlanningProblem, design: Design) -> dict[str, tuple[str, ...]]:
    """Which offers and which quotas of the problem a design takes more of than there is."""
    taken = Counter[str]()
    for node in design.nodes:
        taken[node.offer.id] += node.template.instances
    kept = Counter[str]()
    for node in problem.incumbent.nodes if problem.incumbent is not None else ():
        kept[node.offer.id] += node.template.instances
    short = tuple(
        sorted(
            offer.id for offer in problem.offers if taken[offer.id] > max(offer.obtainable, kept[offer.id])
        )
    )
    over = tuple(
        f"{quota.provider} {quota.region} {quota.gpu} {quota.market.replace('_', '-')}"
        for quota in problem.quotas
        if quota.gpus
        < sum(
            node.template.instances * node.offer.gpu_count
            for node in design.nodes
            if quota.covers(node.offer)
        )
    )
    return {STOCK: short, QUOTAS: over}


def allowed(problem: PlanningProblem, design: Design) -> bool:
    """Whether a design keeps to stock, quotas and least replicas."""
    running = replicas_of(design)
    enough = all(running[rules.name] >= rules.min_replicas for rules in problem.models)
    return enough and not any(beyond(problem, design).values())


def replicas_of(design: Design) -> Counter[str]:
    """How many replicas of each model a design runs."""
    return Counter(shape.model for node in design.nodes for shape in node.template.replicas)
