"""What is said of a choice: why a design was taken, why a plan was held, what came second."""

from math import isinf

from bouted.planner.design import Frontier, ScoredDesign
from bouted.planner.goals import Rule
from bouted.planner.missed import missed
from bouted.planner.problem import PlanningProblem

from .select_move import Move, fetching_cost, kept_nodes, move_to
from .select_rank import scores
from .select_words import cost_text, hours_text, plan_text, superlative, weights_text


def first(best: ScoredDesign, frontier: Frontier, problem: PlanningProblem) -> tuple[str, ...]:
    """Why this one, with no plan to hold it against."""
    n = len(frontier.designs)
    what = "the only design found" if n == 1 else f"{superlative(problem)} of {n} designs"
    there = f"; {plan_text(problem)} cannot be judged any more" if problem.incumbent is not None else ""
    fetching = fetching_cost(best.design, (), problem)
    once = f"; fetching its weights costs ${fetching:.2f} once" if fetching else ""
    return (f"{what} that meet{'s' if n == 1 else ''} every target{there}{once}",)


def forced(best: ScoredDesign, old: ScoredDesign, problem: PlanningProblem) -> tuple[str, ...]:
    """Why the plan in force cannot stay, and what leaving it costs."""
    plan = plan_text(problem)
    more = best.design.usd_per_hour - old.design.usd_per_hour
    if more > 0:
        change = f"costs ${more:.2f}/h more than {plan}"
    elif more < 0:
        change = f"saves ${-more:.2f}/h over {plan}"
    else:
        change = f"costs as much as {plan}"
    moving = cost_text(move_to(best.design, old.design, problem))
    broken = "; ".join(missed(problem, old, name) for name in old.violated)
    return f"{plan} would miss {broken}", f"{change}; moving costs {moving}"


def gained(best: ScoredDesign, old: ScoredDesign, move: Move, problem: PlanningProblem) -> str:
    """What a move gains by the rule, and what it costs."""
    if problem.preference.rule is Rule.CHEAPEST:
        return _saving(move, problem)
    plan, metric = plan_text(problem), problem.targets.objective
    was, now = old.estimate.p95_s(metric), best.estimate.p95_s(metric)
    change = f"${abs(move.saves_usd_per_hour):.2f}/h {'less' if move.saves_usd_per_hour > 0 else 'more'}"
    if problem.preference.rule is Rule.FASTEST:
        return f"p95 {metric} {now:.3g} s where {plan} takes {was:.3g} s, for {change}; {_spread(move)}"
    better = (
        "nearer the knee" if problem.preference.rule is Rule.KNEE else f"better by {weights_text(problem)}"
    )
    quality = f"quality {best.estimate.quality:.3f} for {old.estimate.quality:.3f}"
    figures = f"{change}, p95 {metric} {now:.3g} s for {was:.3g} s, {quality}"
    return f"{better} than {plan}: {figures}; {_spread(move)}"


def runner_up(best: ScoredDesign, frontier: Frontier, problem: PlanningProblem) -> str:
    """The next best design and why it lost."""
    others = [item for item in frontier.designs if item is not best]
    old = frontier.incumbent
    if old is not None and not old.violated:
        return f"{plan_text(problem)} as it is: {_against(old, best, problem)}"
    if not others:
        return ""
    values = scores(others, problem)
    usd = [item.design.usd_per_hour for item in others]
    p95 = [item.estimate.p95_s(problem.targets.objective) for item in others]
    second = others[min(range(len(others)), key=lambda i: (values[i], usd[i], p95[i]))]
    return f"{told(second, problem)}: {_lost(second, best, problem)}"


def told(item: ScoredDesign, problem: PlanningProblem) -> str:
    """A design in its three figures."""
    objective, estimate = problem.targets.objective, item.estimate
    return (
        f"${estimate.usd_per_hour:.2f}/h, p95 {objective} {estimate.p95_s(objective):.3g} s,"
        f" quality {estimate.quality:.3f}"
    )


def _lost(second: ScoredDesign, best: ScoredDesign, problem: PlanningProblem) -> str:
    if problem.preference.rule is not Rule.CHEAPEST:
        return _against(second, best, problem)
    if second.design.usd_per_hour > best.design.usd_per_hour:
        return _against(second, best, problem)
    running = problem.incumbent.nodes if problem.incumbent is not None else ()
    fewer = kept_nodes(best.design, running) > kept_nodes(second.design, running)
    return "keeps fewer running nodes" if fewer else "slower at about the same cost"


def _against(second: ScoredDesign, best: ScoredDesign, problem: PlanningProblem) -> str:
    """How the second falls behind the best in what the rule looks at."""
    more = second.design.usd_per_hour - best.design.usd_per_hour
    metric, rule = problem.targets.objective, problem.preference.rule
    if rule is Rule.FASTEST:
        return f"{second.estimate.p95_s(metric) - best.estimate.p95_s(metric):.3g} s slower"
    if rule is Rule.KNEE:
        return "further from the knee"
    return f"worse by {weights_text(problem)}" if rule is Rule.PREFERENCE else f"${more:.2f}/h dearer"


def _saving(move: Move, problem: PlanningProblem) -> str:
    saved = f"saves ${move.saves_usd_per_hour:.2f}/h over {plan_text(problem)}"
    if not isinf(move.holds_h):
        saved = f"{saved}, prices like these hold {hours_text(move.holds_h)}"
    if move.costs_usd == 0:
        return f"{saved}; moving costs nothing"
    return f"{saved}; moving costs {cost_text(move)}, pays back in {hours_text(move.payback_h)}"


def _spread(move: Move) -> str:
    if move.costs_usd == 0:
        return "moving costs nothing"
    if isinf(move.holds_h):
        return f"moving costs {cost_text(move)} once"
    held = f"the {hours_text(move.holds_h)} that prices like these hold"
    return f"moving costs {cost_text(move)}: ${move.spread_usd_per_hour:.2f}/h over {held}"
