"""Designs that were rolled back, and for how long they are not chosen again. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bouted.perf.costs import StepCosts
from bouted.planner.design import Design, Frontier
from bouted.planner.problem import PlanningProblem

LEAST = timedelta(hours=1)
MOST = timedelta(hours=24)
ALIKE = 0.1  # shares of queries that differ by less are the same design


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A design that was rolled back `at`, the `planning_hash` of the config it was for, and the step costs
    that it was judged by, by shape id (empty: nobody knows any more)."""

    plan_id: str
    design: Design
    at: datetime
    config_hash: str
    costs: Mapping[str, StepCosts]


def stands(bar: Bar, problem: PlanningProblem, config_hash: str, now: datetime) -> bool:
    """Whether the design is still left alone: for an hour unless the config changed, and then, up to a day,
    for as long as nothing new was learned about its shapes."""
    if config_hash != bar.config_hash or now - bar.at >= MOST:
        return False
    if now - bar.at < LEAST:
        return True
    believed = problem.profiles.by_shape
    return all(
        shape_id in believed and believed[shape_id].costs == costs for shape_id, costs in bar.costs.items()
    )


def same(a: Design, b: Design) -> bool:
    """Whether two designs are one thing wherever it is rented: the same cuts, and much the same split."""
    cuts = [sorted(node.template.id for node in design.nodes) for design in (a, b)]
    shares = {item.model: item.share for item in a.shares}
    apart = max((abs(shares.get(item.model, 0.0) - item.share) for item in b.shares), default=0.0)
    return cuts[0] == cuts[1] and apart < ALIKE


def without_barred(frontier: Frontier, bars: Sequence[Bar]) -> Frontier:
    """The front without the designs that `bars` name."""
    kept = tuple(one for one in frontier.designs if not any(same(one.design, bar.design) for bar in bars))
    return frontier if len(kept) == len(frontier.designs) else replace(frontier, designs=kept)
