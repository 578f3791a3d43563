"""Which design to run: the best by the config's rule, unless moving to it is not worth what moving costs."""

from dataclasses import dataclass
from decimal import Decimal

from bouted.planner.design import Frontier, ScoredDesign
from bouted.planner.goals import Rule
from bouted.planner.plan import Choice
from bouted.planner.problem import PlanningProblem

from . import select_held as held
from . import select_why as why
from .select_move import Move, move_to
from .select_rank import preferred, scores

MIN_SAVING_SHARE = 0.02
MIN_GAIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rated:
    """A design to move to, the move, and how much better it is by the rule than the plan in force."""

    to: ScoredDesign
    move: Move
    gain: float


class ByRule:
    """Takes the best feasible design by `problem.preference`, and holds a feasible plan unless moving is
    worth it.

    By the cheapest rule a move must save 2 %, pay back within `min_payback_h`, and pay back while the
    prices it rests on are expected to hold. By the other rules there may be no saving to pay from: there
    the move's cost is spread over those hours and counted as part of the new design's $/h, which must
    still fit the budget, and the design must be better by 5 %: of the P95 now by the fastest rule, of the
    front's range by the knee and by preference.
    """

    def __init__(
        self,
        *,
        min_payback_h: float,
        min_saving_share: float = MIN_SAVING_SHARE,
        min_gain: float = MIN_GAIN,
    ) -> None:
        self._min_payback_h = min_payback_h
        self._min_saving_share = min_saving_share
        self._min_gain = min_gain

    def select(self, frontier: Frontier, problem: PlanningProblem) -> Choice:
        """The design to run, or the incumbent held. `frontier.designs` must not be empty."""
        old = frontier.incumbent
        if problem.incumbent is None or old is None:
            best = preferred(frontier.designs, (), problem)
            return _moved(best, frontier, problem, why.first(best, frontier, problem))
        if old.violated:
            best = preferred(frontier.designs, problem.incumbent.nodes, problem)
            return _moved(best, frontier, problem, why.forced(best, old, problem))
        rated = _rated(frontier, old, problem)
        worth = [item for item in rated if self._worth(item, old, problem)]
        if not worth:
            return self._held(rated, old, problem)
        best = self._best(worth, problem)
        said = (why.gained(best, old, move_to(best.design, old.design, problem), problem),)
        return _moved(best, frontier, problem, said)

    def _worth(self, item: _Rated, old: ScoredDesign, problem: PlanningProblem) -> bool:
        if problem.preference.rule is not Rule.CHEAPEST:
            return item.gain > self._min_gain and _all_in(item) <= problem.budget.usd_per_hour
        in_time = item.move.payback_h <= min(self._min_payback_h, item.move.holds_h)
        return item.move.saves_usd_per_hour > self._least_saving(old) and in_time

    def _least_saving(self, old: ScoredDesign) -> Decimal:
        return Decimal(str(self._min_saving_share)) * old.design.usd_per_hour

    def _best(self, worth: list[_Rated], problem: PlanningProblem) -> ScoredDesign:
        """The best of the moves worth making; by knee and preference, the one that gains most."""
        if problem.preference.rule in (Rule.CHEAPEST, Rule.FASTEST):
            running = problem.incumbent.nodes if problem.incumbent is not None else ()
            return preferred([item.to for item in worth], running, problem)
        return max(worth, key=lambda item: item.gain).to

    def _held(self, rated: list[_Rated], old: ScoredDesign, problem: PlanningProblem) -> Choice:
        best = max(rated, key=lambda item: item.gain)
        if problem.preference.rule is Rule.CHEAPEST:
            least, payback_h = self._least_saving(old), self._min_payback_h
            reason, lost = held.kept_cheapest(
                best.move, old, problem, min_payback_h=payback_h, least_usd=least
            )
        else:
            dear = best.gain > self._min_gain
            reason, lost = held.kept(best.gain, best.move, problem, too_dear=dear)
        runner_up = "" if best.to.design == old.design else f"{why.told(best.to, problem)}: {lost}"
        return Choice(chosen=old.design, estimate=old.estimate, held=True, why=(reason,), runner_up=runner_up)


def _rated(frontier: Frontier, old: ScoredDesign, problem: PlanningProblem) -> list[_Rated]:
    """Every design of the front against the plan in force; what its move costs is part of its cost."""
    moves = [move_to(item.design, old.design, problem) for item in frontier.designs]
    cheapest = problem.preference.rule is Rule.CHEAPEST
    extra = [Decimal(0) if cheapest else move.spread_usd_per_hour for move in moves]
    *values, now = scores((*frontier.designs, old), problem, (*extra, Decimal(0)))
    relative = now if problem.preference.rule in (Rule.CHEAPEST, Rule.FASTEST) and now > 0 else 1.0
    return [
        _Rated(to=item, move=move, gain=(now - value) / relative)
        for item, move, value in zip(frontier.designs, moves, values, strict=True)
    ]


def _all_in(item: _Rated) -> Decimal:
    return item.to.design.usd_per_hour + item.move.spread_usd_per_hour


def _moved(best: ScoredDesign, frontier: Frontier, problem: PlanningProblem, said: tuple[str, ...]) -> Choice:
    return Choice(
        chosen=best.design,
        estimate=best.estimate,
        held=False,
        why=said,
        runner_up=why.runner_up(best, frontier, problem),
    )
