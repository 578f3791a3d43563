"""The words that choices are told in. Pure."""

from bouted.planner.goals import Rule
from bouted.planner.problem import PlanningProblem

from .select_move import Move


def superlative(problem: PlanningProblem) -> str:
    """What the best design by the rule is called."""
    return {
        Rule.CHEAPEST: "cheapest",
        Rule.FASTEST: f"fastest within ${problem.budget.usd_per_hour}/h",
        Rule.KNEE: "knee",
        Rule.PREFERENCE: f"best by {weights_text(problem)}",
    }[problem.preference.rule]


def weights_text(problem: PlanningProblem) -> str:
    """The weights of a preference."""
    weights = problem.preference
    return f"the weights cost {weights.cost:g}, latency {weights.latency:g}, quality {weights.quality:g}"


def cost_text(move: Move) -> str:
    """What a move costs, and what part of it fetches weights."""
    told = f"${move.costs_usd:.2f}"
    return f"{told} (${move.fetching_usd:.2f} of it to fetch weights)" if move.fetching_usd else told


def hours_text(hours: float) -> str:
    """Hours as minutes, hours or days."""
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.3g} h"


def plan_text(problem: PlanningProblem) -> str:
    """The plan in force, by name."""
    return f"plan {problem.incumbent.plan_id if problem.incumbent is not None else ''}"
