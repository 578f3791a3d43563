"""`bouted why` for people: what binds, why no other GPU, what was assumed. Pure; at most 100 columns wide."""

from decimal import Decimal

from bouted.cli.bound_words import bound_words
from bouted.cli.columns import columns, cut, paragraph
from bouted.cli.search_words import search_words
from bouted.cli.units import count, seconds, share, usd
from bouted.cli.why_assumed import assumed_lines, shorten_offer
from bouted.planner.design import Frontier
from bouted.planner.goals import Rule
from bouted.planner.plan import Plan
from bouted.planner.problem import PlanningProblem
from bouted.planner.relax import Unit
from bouted.planner.whatif import Bought, WhatIf
from bouted.planner.why import Why
from bouted.planner.whynot import Verdict, WhyNot

LABEL = 9


def why_text(told: Why) -> list[str]:
    """The whole text: the plan in a line, then one section per question."""
    parts = [_head(told.plan, told.problem)]
    if told.what_if is not None:
        parts += [_binds(told.what_if, told.problem), _more(told.what_if, told.plan, told.problem)]
    parts.append(_gpus(told))
    if told.what_if is not None:
        parts.append([*assumed_lines(told.assumed), *_search(told.frontier)])
    return "\n\n".join("\n".join(part) for part in parts if part).splitlines()


def _head(plan: Plan, problem: PlanningProblem) -> list[str]:
    estimate, metric = plan.estimate, plan.objective
    limit = problem.targets.of(metric)
    wanted = "" if limit is None else f" of {seconds(limit)}"
    figures = (
        f"{usd(estimate.usd_per_hour)}/h of {usd(problem.budget.usd_per_hour)}/h,"
        f" p95 {metric} {seconds(estimate.p95_s(metric), like=limit)}{wanted},"
        f" quality {estimate.quality_low:.3f} at the low end, floor {problem.targets.quality_min:.3f}"
    )
    made = f"made {plan.created_at:%Y-%m-%d %H:%M:%S} UTC, trigger {plan.trigger}"
    lines = [
        f"plan {plan.id}  {made}, rule {problem.preference.rule}",
        *paragraph("costs".ljust(LABEL), figures),
        *paragraph("bound".ljust(LABEL), bound_words(estimate)),
    ]
    lines += [line for reason in plan.why for line in paragraph("why".ljust(LABEL), reason)]
    return lines + (paragraph("runner-up", plan.runner_up) if plan.runner_up else [])


def _search(frontier: Frontier | None) -> list[str]:
    """How far the search went that found the plan."""
    if frontier is None:
        return []
    return paragraph("search".ljust(LABEL), search_words(frontier))


def _binds(found: WhatIf, problem: PlanningProblem) -> list[str]:
    if not found.bought:
        return ["WHAT BINDS  look-ups alone find no design that meets every target: nothing to compare with"]
    ranked = sorted(found.bought, key=lambda item: (-item.saves_usd_per_hour, -item.faster_s))
    rows: list[tuple[str, ...]] = [("WHAT BINDS", "NOW", "LIMIT", "EASED BY", "BUYS")]
    rows += [_row(item, problem) for item in ranked]
    return columns(rows, right=frozenset({1, 2, 3}))


def _row(item: Bought, problem: PlanningProblem) -> tuple[str, ...]:
    now = "-" if item.now is None else _figure(item.now, item, item.limit)
    limit = "-" if item.limit is None else _figure(item.limit, item, item.limit)
    step = _figure(item.step, item, item.limit)
    return (cut(item.name, 60), now, limit, step, _buys(item, problem))


def _buys(item: Bought, problem: PlanningProblem) -> str:
    if item.faster_s > 0:
        return f"{seconds(item.faster_s)} lower p95 {problem.targets.objective}"
    return f"saves {usd(item.saves_usd_per_hour)}/h" if item.saves_usd_per_hour > 0 else "nothing"


def _figure(value: float, item: Bought, like: float | None) -> str:
    match item.unit:
        case Unit.SECONDS:
            return seconds(value, like=like)
        case Unit.USD_PER_HOUR:
            return f"{usd(Decimal(str(round(value, 2))))}/h"
        case Unit.QUALITY:
            return f"{value:.3f}"
        case Unit.SHARE:
            return share(value)
        case Unit.COUNT:
            return f"{value:g}"


def _more(found: WhatIf, plan: Plan, problem: PlanningProblem) -> list[str]:
    """What money buys, and how far look-ups alone would go."""
    more, metric = found.more_money, problem.targets.objective
    step = f"{usd(more.step_usd_per_hour)}/h more"
    if more.usd_per_hour is None or more.p95_s is None:
        bought = f"{step} buys no lower p95 {metric}"
    else:
        at = f"{seconds(more.p95_s)} for {usd(more.usd_per_hour)}/h"
        bought = f"up to {step} buys {seconds(more.faster_s)} lower p95 {metric}: {at}"
    lines = paragraph("money".ljust(LABEL), bought)
    near = found.near[0].design.usd_per_hour if found.near else None
    if (
        problem.preference.rule is not Rule.FASTEST
        and near
        and near < Decimal("0.99") * plan.design.usd_per_hour
    ):
        told = (
            f"look-ups alone know a fleet at {usd(near)}/h: the simulator was not asked of it or found it"
            " wanting; what more of each buys is counted from there"
        )
        lines += paragraph("note".ljust(LABEL), told)
    return lines


def _gpus(told: Why) -> list[str]:
    unused = [item for item in told.gpus if item.verdict is not Verdict.USED]
    used = [item.gpu for item in told.gpus if item.verdict is Verdict.USED]
    lines: list[str] = []
    if unused:
        priced = sorted(
            unused, key=lambda item: (item.more_usd_per_hour is None, item.more_usd_per_hour or 0)
        )
        rows = [("WHY NOT", "A NODE ADDS", "OF OFFER"), *(_gpu(item, told.problem) for item in priced)]
        lines = columns(rows, right=frozenset({1}))
    if used and told.what_if is None:
        lines += paragraph("used".ljust(LABEL), f"{', '.join(used)}: in the plan")
    elif used:
        lines += paragraph("used".ljust(LABEL), ", ".join(used))
    return lines


def _gpu(item: WhyNot, problem: PlanningProblem) -> tuple[str, str, str]:
    if item.more_usd_per_hour is not None:
        cheap = item.verdict is Verdict.AS_CHEAP
        adds = "no dearer" if cheap else f"+{usd(item.more_usd_per_hour)}/h"
        return item.gpu, adds, shorten_offer(item.offer)
    return item.gpu, "-", _unfit(item, problem)


def _unfit(item: WhyNot, problem: PlanningProblem) -> str:
    metric, limit = problem.targets.objective, problem.targets.of(problem.targets.objective)
    match item.verdict:
        case Verdict.NOT_ON_SALE:
            sold = len({offer.gpu for offer in problem.offers})
            return f"no offer that the config allows has it; {count(sold, 'other type')} on sale"
        case Verdict.SOLD_OUT:
            return "none can be had: sold out or refused lately"
        case Verdict.NOT_ALLOWED:
            return "no model may run where it is sold"
        case Verdict.NO_ROOM:
            return "no model fits: too little memory, or no engine runs there"
        case Verdict.TOO_SLOW if item.idle_s is not None:
            at = f", the target is {seconds(limit)}" if limit is not None else ""
            return f"too slow: an idle one takes {seconds(item.idle_s)} p95 {metric}{at}"
        case _:
            return "no fleet with one carries the load within the targets"
