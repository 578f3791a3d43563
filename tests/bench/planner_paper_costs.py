"""The paper's table 3: the least money with which each method reaches a floor and a P95 target.

The target is the paper's as a share of what Stand-Alone-Homo takes there for $30/h, times what ours takes.
GPUs are unlimited: the table's own fleets have more than 8 of a type. Every fleet counts only if the event
simulator agrees that it is in time; one that is not is planned again for a tighter target.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from planner_paper_allocate import Means, cheap_fleet
from planner_paper_cells import Cell, answer, judge_of
from planner_paper_judge import MODELS, Fleet, FleetJudge, fleet
from planner_paper_lists import candidates
from planner_paper_ours import cheap
from planner_paper_parameters import HOMOGENEOUS, RATE_PER_S, UNLIMITED, WORKLOADS
from planner_paper_published import CELLS, COST_CELLS, P95_S, Method

MOST_USD_PER_HOUR = Decimal(150)
TIGHTER = (1.0, 0.98, 0.96, 0.93, 0.9, 0.86, 0.82)
TILTS = (1.0, 0.85, 1.15)
ROOMY = Means.of(MOST_USD_PER_HOUR, UNLIMITED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One column of table 3, in our seconds."""

    cell: Cell
    target_s: float


def goals(thorough: int) -> tuple[Goal, ...]:
    """The four columns."""
    found: list[Goal] = []
    for name, floor, seconds in COST_CELLS:
        workload = next(one for one in WORKLOADS if one.name == name)
        cell = Cell(workload=workload, floor=floor, available=UNLIMITED, thorough=thorough)
        alone, theirs = answer(Method.ALONE, cell), P95_S[Method.ALONE][CELLS.index((name, floor))]
        if alone is None or theirs is None:
            raise ValueError(f"Stand-Alone-Homo serves nothing in {name}")
        found.append(Goal(cell=cell, target_s=seconds / theirs * alone.p95_s))
    return tuple(found)


def least_usd_per_hour(method: Method, goal: Goal) -> Decimal | None:
    """What the method pays to reach the goal; None when it does not."""
    judge, share = judge_of(goal.cell.workload), goal.cell.large_share
    match method:
        case Method.ALONE:
            return _priced(judge, goal, 1.0, ROOMY.only(HOMOGENEOUS))
        case Method.ALONE_MIXED:
            return _priced(judge, goal, 1.0, ROOMY)
        case Method.ROUTED:
            return _apart(judge, goal, share)
        case Method.HOMOGENEOUS:
            return _priced(judge, goal, share, ROOMY.only(HOMOGENEOUS))
        case Method.FIXED:
            return _priced(judge, goal, share, ROOMY)
        case Method.PAPER:
            return _listed(judge, goal, share)
        case _:
            return _ours(judge, goal)


def _loads(large_share: float) -> tuple[float, float]:
    return RATE_PER_S * (1 - large_share), RATE_PER_S * large_share


def _priced(judge: FleetJudge, goal: Goal, share: float, means: Means) -> Decimal | None:
    """One purse for both models, split in any way between their times."""
    found = [
        one
        for tilt in TILTS
        if (one := _in_time(judge, goal, _tried(judge, goal, share, means, tilt))) is not None
    ]
    return min(found, default=None)


def _tried(judge: FleetJudge, goal: Goal, share: float, means: Means, tilt: float) -> Iterator[Fleet]:
    for times in TIGHTER:
        replicas = cheap_fleet(judge.rates, _loads(share), means, goal.target_s * times, tilt)
        if replicas is not None:
            yield fleet(replicas, share)


def _in_time(judge: FleetJudge, goal: Goal, fleets: Iterator[Fleet]) -> Decimal | None:
    """The price of the first that is in time."""
    return next((one.usd_per_hour for one in fleets if judge.p95_s(one) <= goal.target_s), None)


def _apart(judge: FleetJudge, goal: Goal, share: float) -> Decimal | None:
    """Twice what the model that needs more needs: each has half of the money, whether it needs it or not."""
    small, large = _loads(share)
    for times in TIGHTER:
        parts = [
            cheap_fleet(judge.rates, loads, ROOMY.half, goal.target_s * times)
            for loads in ((small, 0.0), (0.0, large))
        ]
        if any(part is None for part in parts):
            return None
        halves = [fleet(part or (), share) for part in parts]
        whole = fleet([shape for part in parts for shape in part or ()], share)
        if judge.p95_s(whole) <= goal.target_s:
            return 2 * max(half.usd_per_hour for half in halves)
    return None


def _listed(judge: FleetJudge, goal: Goal, share: float) -> Decimal | None:
    """The cheapest pair of the paper's candidates that is in time: its lists, searched to exhaustion."""
    lists = [candidates(judge.rates, model, replace(ROOMY, usd_per_hour=Decimal(60))) for model in MODELS]
    pairs = sorted(
        (fleet((*one.replicas, *two.replicas), share) for one in lists[0] for two in lists[1]),
        key=lambda item: item.usd_per_hour,
    )
    hopeful = (pair for pair in pairs if judge.predicted_s(pair) <= goal.target_s * 1.03)
    return _in_time(judge, goal, hopeful)


def _ours(judge: FleetJudge, goal: Goal) -> Decimal | None:
    """The cheapest of our planner's fleets that is in time."""
    question = replace(goal.cell.question, means=ROOMY)
    for times in TIGHTER:
        fleets = cheap(judge, question, goal.target_s * times)
        price = _in_time(judge, goal, iter(fleets))
        if price is not None:
            return price
    return None
