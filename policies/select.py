"""Which design to run: the cheapest, unless moving to it is not worth what moving costs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bouted.perf.profile import Metric
from bouted.planner.design import Design, Frontier, ScoredDesign
from bouted.planner.explain import missed
from bouted.planner.moving import Fetching
from bouted.planner.plan import Choice
from bouted.planner.problem import PlannedNode, PlanningProblem

MIN_SAVING_SHARE = 0.02
# Designs this close in cost are as good as equal: fewer moves decide, then latency.
AS_CHEAP = Decimal("1.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What moving from the incumbent to a design saves an hour and costs once, fetching weights included."""

    saves_usd_per_hour: Decimal
    costs_usd: Decimal
    fetching_usd: Decimal = Decimal(0)

    @property
    def payback_h(self) -> float:
        """Hours until the saving has paid for the move; infinite when nothing is saved."""
        if self.saves_usd_per_hour <= 0:
            return float("inf")
        return float(self.costs_usd / self.saves_usd_per_hour)


class Cheapest:
    """Takes the cheapest feasible design, and holds a feasible plan unless moving pays back in time."""

    def __init__(self, *, min_payback_h: float, min_saving_share: float = MIN_SAVING_SHARE) -> None:
        self._min_payback_h = min_payback_h
        self._min_saving_share = min_saving_share

    def select(self, frontier: Frontier, problem: PlanningProblem) -> Choice:
        """The design to run, or the incumbent held. `frontier.designs` must not be empty."""
        old = frontier.incumbent
        if problem.incumbent is None or old is None:
            best = preferred(frontier.designs, (), problem.targets.objective)
            return _choice(best, frontier, problem, _first(best, frontier, problem))
        if old.violated:
            best = preferred(frontier.designs, problem.incumbent.nodes, problem.targets.objective)
            return _choice(best, frontier, problem, _forced(best, old, problem))
        paying = [item for item in frontier.designs if self._pays(_move(item, old, problem), old)]
        if not paying:
            return self._held(frontier, old, problem)
        best = preferred(paying, problem.incumbent.nodes, problem.targets.objective)
        return _choice(best, frontier, problem, (_saving(_move(best, old, problem), problem),))

    def _pays(self, move: Move, old: ScoredDesign) -> bool:
        least = Decimal(str(self._min_saving_share)) * old.design.usd_per_hour
        return move.saves_usd_per_hour > least and move.payback_h <= self._min_payback_h

    def _held(self, frontier: Frontier, old: ScoredDesign, problem: PlanningProblem) -> Choice:
        best = min(frontier.designs, key=lambda item: item.design.usd_per_hour)
        move = _move(best, old, problem)
        plan = f"plan {_plan_id(problem)}"
        if move.saves_usd_per_hour <= 0:
            reason, lost = f"{plan} is still the cheapest that meets the targets", "not cheaper"
        elif move.payback_h > self._min_payback_h:
            back = _hours(move.payback_h)
            reason = (
                f"{plan} stays: ${move.saves_usd_per_hour:.2f}/h could be saved, but moving costs"
                f" {_told_cost(move)} and would pay back in {back}"
            )
            lost = f"moving pays back only in {back}"
        else:
            share = 100 * float(move.saves_usd_per_hour / old.design.usd_per_hour)
            reason = f"{plan} stays: only ${move.saves_usd_per_hour:.2f}/h ({share:.1f} %) could be saved"
            lost = f"saves only ${move.saves_usd_per_hour:.2f}/h"
        same = best.design == old.design
        runner_up = "" if same else f"{_told(best, problem)}: {lost}"
        return Choice(chosen=old.design, estimate=old.estimate, held=True, why=(reason,), runner_up=runner_up)


def preferred(
    designs: Sequence[ScoredDesign], running: Sequence[PlannedNode], objective: Metric
) -> ScoredDesign:
    """Among the cheapest to within 1 %: the one that keeps most running nodes, then the fastest."""
    least = min(item.design.usd_per_hour for item in designs)
    close = [item for item in designs if item.design.usd_per_hour <= least * AS_CHEAP]
    return min(
        close,
        key=lambda item: (
            -kept_nodes(item.design, running),
            item.estimate.p95_s(objective),
            item.design.usd_per_hour,
        ),
    )


def kept_nodes(design: Design, running: Sequence[PlannedNode]) -> int:
    """How many running nodes a design keeps as they are."""
    wanted = Counter(node.slot for node in design.nodes)
    return (wanted & Counter(node.slot for node in running)).total()


def moving_cost(design: Design, running: Sequence[PlannedNode], problem: PlanningProblem) -> Decimal:
    """Dollars that a move costs once: starting new nodes, fetching weights, keeping dropped ones a while."""
    wanted = {node.slot: node for node in design.nodes}
    present = {node.slot: node for node in running}
    started = sum(
        (node.offer.usd_per_hour for slot, node in wanted.items() if slot not in present), Decimal(0)
    )
    dropped = sum(
        (node.offer.usd_per_hour for slot, node in present.items() if slot not in wanted), Decimal(0)
    )
    switching = problem.switching
    hours = started * Decimal(str(switching.start_h)) + dropped * Decimal(str(switching.overlap_h))
    return hours + fetching_cost(design, running, problem)


def fetching_cost(design: Design, running: Sequence[PlannedNode], problem: PlanningProblem) -> Decimal:
    """Dollars of a move that are for bringing weights to the nodes it starts."""
    present = {node.slot for node in running}
    return Fetching(problem).nodes_usd(node for node in design.nodes if node.slot not in present)


def _move(to: ScoredDesign, old: ScoredDesign, problem: PlanningProblem) -> Move:
    return Move(
        saves_usd_per_hour=old.design.usd_per_hour - to.design.usd_per_hour,
        costs_usd=moving_cost(to.design, old.design.nodes, problem),
        fetching_usd=fetching_cost(to.design, old.design.nodes, problem),
    )


def _told_cost(move: Move) -> str:
    told = f"${move.costs_usd:.2f}"
    return f"{told} (${move.fetching_usd:.2f} of it to fetch weights)" if move.fetching_usd else told


def _choice(best: ScoredDesign, frontier: Frontier, problem: PlanningProblem, why: tuple[str, ...]) -> Choice:
    return Choice(
        chosen=best.design,
        estimate=best.estimate,
        held=False,
        why=why,
        runner_up=_runner_up(best, frontier, problem),
    )


def _first(best: ScoredDesign, frontier: Frontier, problem: PlanningProblem) -> tuple[str, ...]:
    n = len(frontier.designs)
    what = "the only design found" if n == 1 else f"cheapest of {n} designs"
    there = f"; plan {_plan_id(problem)} cannot be judged any more" if problem.incumbent is not None else ""
    fetching = fetching_cost(best.design, (), problem)
    once = f"; fetching its weights costs ${fetching:.2f} once" if fetching else ""
    return (f"{what} that meet{'s' if n == 1 else ''} every target{there}{once}",)


def _forced(best: ScoredDesign, old: ScoredDesign, problem: PlanningProblem) -> tuple[str, ...]:
    plan = f"plan {_plan_id(problem)}"
    more = best.design.usd_per_hour - old.design.usd_per_hour
    if more > 0:
        change = f"costs ${more:.2f}/h more than {plan}"
    elif more < 0:
        change = f"saves ${-more:.2f}/h over {plan}"
    else:
        change = f"costs as much as {plan}"
    moving = _told_cost(_move(best, old, problem))
    broken = "; ".join(missed(problem, old, name) for name in old.violated)
    return f"{plan} would miss {broken}", f"{change}; moving costs {moving}"


def _saving(move: Move, problem: PlanningProblem) -> str:
    saved = f"saves ${move.saves_usd_per_hour:.2f}/h over plan {_plan_id(problem)}"
    if move.costs_usd == 0:
        return f"{saved}; moving costs nothing"
    return f"{saved}; moving costs {_told_cost(move)}, pays back in {_hours(move.payback_h)}"


def _runner_up(best: ScoredDesign, frontier: Frontier, problem: PlanningProblem) -> str:
    """The next best design and why it lost."""
    others = [item for item in frontier.designs if item is not best]
    old = frontier.incumbent
    if old is not None and not old.violated:
        more = old.design.usd_per_hour - best.design.usd_per_hour
        return f"plan {_plan_id(problem)} as it is: ${more:.2f}/h dearer"
    if not others:
        return ""
    second = min(
        others, key=lambda item: (item.design.usd_per_hour, item.estimate.p95_s(problem.targets.objective))
    )
    more = second.design.usd_per_hour - best.design.usd_per_hour
    if more > 0:
        lost = f"${more:.2f}/h dearer"
    else:
        running = problem.incumbent.nodes if problem.incumbent is not None else ()
        fewer = kept_nodes(best.design, running) > kept_nodes(second.design, running)
        lost = "keeps fewer running nodes" if fewer else "slower at about the same cost"
    return f"{_told(second, problem)}: {lost}"


def _told(item: ScoredDesign, problem: PlanningProblem) -> str:
    objective, estimate = problem.targets.objective, item.estimate
    return (
        f"${estimate.usd_per_hour:.2f}/h, p95 {objective} {estimate.p95_s(objective):.3g} s,"
        f" quality {estimate.quality:.3f}"
    )


def _hours(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h"


def _plan_id(problem: PlanningProblem) -> str:
    return problem.incumbent.plan_id if problem.incumbent is not None else ""
