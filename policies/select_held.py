"""What is said of a plan that is held: why nothing better is worth moving to. Pure."""

from decimal import Decimal

from bouted.planner.design import ScoredDesign
from bouted.planner.goals import Rule
from bouted.planner.problem import PlanningProblem

from .select_move import Move
from .select_words import cost_text, hours_text, plan_text, superlative


def kept_cheapest(
    move: Move, old: ScoredDesign, problem: PlanningProblem, *, min_payback_h: float, least_usd: Decimal
) -> tuple[str, str]:
    """Why the plan in force is held by the cheapest rule, and why the cheapest design lost to it."""
    plan = plan_text(problem)
    if move.saves_usd_per_hour <= 0:
        return f"{plan} is still the cheapest that meets the targets", "not cheaper"
    back, saved = hours_text(move.payback_h), f"${move.saves_usd_per_hour:.2f}/h"
    could = f"{plan} stays: {saved} could be saved, but moving costs {cost_text(move)}"
    if move.payback_h > min_payback_h:
        return f"{could} and would pay back in {back}", f"moving pays back only in {back}"
    if move.saves_usd_per_hour > least_usd and move.payback_h > move.holds_h:
        held = hours_text(move.holds_h)
        return f"{could}, pays back in {back}, and prices like these hold {held}", f"its prices hold {held}"
    share = 100 * float(move.saves_usd_per_hour / old.design.usd_per_hour)
    return f"{plan} stays: only {saved} ({share:.1f} %) could be saved", f"saves only {saved}"


def kept(gain: float, move: Move, problem: PlanningProblem, *, too_dear: bool) -> tuple[str, str]:
    """Why the plan in force is held by another rule, and why the best design lost to it."""
    plan, rule = plan_text(problem), problem.preference.rule
    if gain <= 0:
        return f"{plan} is still the {_best_by(problem)}", "no better once moving is paid for"
    much = (
        f"{100 * gain:.1f} % of its p95"
        if rule is Rule.FASTEST
        else f"{100 * gain:.1f} % of the front's range"
    )
    if too_dear:
        spread = f"${move.spread_usd_per_hour:.2f}/h"
        return (
            f"{plan} stays: a better one with moving ({spread}) is beyond the budget",
            "moving is too dear",
        )
    return f"{plan} stays: moving gains only {much}", f"gains only {much}"


def _best_by(problem: PlanningProblem) -> str:
    rule = problem.preference.rule
    return "nearest to the knee" if rule is Rule.KNEE else superlative(problem)
