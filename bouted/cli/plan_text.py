"""A plan as a person reads it before saying yes: its cost, its promises, what it changes, and why. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from bouted.cli.bound_words import bound_words
from bouted.cli.columns import columns, paragraph, whole
from bouted.cli.plan_changes import node_lines
from bouted.cli.search_words import search_words
from bouted.cli.units import seconds, share, usd, usd_change
from bouted.perf.profile import Metric
from bouted.planner.design import Frontier, Judge
from bouted.planner.goals import Targets
from bouted.planner.plan import Plan
from bouted.quality.route_words import in_columns
from bouted.reconcile.actions import ChangeSet

LABEL = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A plan beside what it is held against. `held`: `current` stays in force, and `plan` tells why."""

    plan: Plan
    held: bool
    changes: ChangeSet
    current: Plan | None
    frontier: Frontier
    targets: Targets
    budget_usd_per_hour: Decimal

    @property
    def changed(self) -> bool:
        """Acting on it would change the fleet or the split."""
        if self.held:
            return False
        return self.current is None or not self.changes.empty or self.plan.split != self.current.split


def plan_text(proposed: Proposed) -> list[str]:
    """The whole text, at most 100 columns wide, the next command last."""
    parts = (_head(proposed), _figures(proposed), _split(proposed.plan), _fleet(proposed), _why(proposed))
    return "\n\n".join("\n".join(part) for part in parts if part).splitlines()


def _head(proposed: Proposed) -> list[str]:
    plan = proposed.plan
    made = f"made {plan.created_at:%Y-%m-%d %H:%M:%S} UTC in {plan.seconds_to_plan:.1f} s"
    return [f"plan {plan.id}  {made}  trigger {plan.trigger}  seed {plan.seed}"]


def _figures(proposed: Proposed) -> list[str]:
    plan, estimate = proposed.plan, proposed.plan.estimate
    rows = [("cost", _cost(proposed))]
    rows += [(f"p95 {metric}", _latency(proposed, metric)) for metric in Metric]
    low = f"{estimate.quality_low:.3f} at the low end, floor {proposed.targets.quality_min:.3f}"
    rows.append(("quality", f"{estimate.quality:.3f} mean, {low}"))
    rows.append(("bound", bound_words(plan.estimate)))
    judge = "the event simulator" if estimate.judge is Judge.SIMULATED else "profile look-ups"
    rows.append(("load", f"planned for {plan.rate_per_s:.3g} queries/s"))
    rows.append(("judged", f"by {judge}; latency good to +-{share(estimate.spread)}"))
    rows.append(("search", search_words(proposed.frontier)))
    return [line for label, text in rows for line in paragraph(label.ljust(LABEL), text)]


def _cost(proposed: Proposed) -> str:
    cost = proposed.plan.estimate.usd_per_hour
    text = f"{usd(cost)}/h of {usd(proposed.budget_usd_per_hour)}/h budget"
    if proposed.current is None:
        return f"{text}, the first plan"
    before = proposed.current.estimate.usd_per_hour
    return f"{text}, {usd_change(cost - before)}/h against plan {proposed.current.id} ({usd(before)}/h)"


def _latency(proposed: Proposed, metric: Metric) -> str:
    value, target = proposed.plan.estimate.p95_s(metric), proposed.targets.of(metric)
    if target is None:
        return f"{seconds(value)}, no target"
    return f"{seconds(value, like=target)} of {seconds(target)}"


def _split(plan: Plan) -> list[str]:
    split = plan.split
    told = (
        ("MODEL", *split.models),
        ("SHARE", *(share(part) for part in split.shares)),
        *in_columns(split),
    )
    return columns(list(zip(*told, strict=True)), right=frozenset({1}))


def _fleet(proposed: Proposed) -> list[str]:
    lines = node_lines(proposed.plan, proposed.changes)
    if not lines:
        return ["no nodes, before or after"]
    rows = [("CHANGE", "NODES", "$/H EACH", "GPUS", "OFFER", "REPLICAS PER NODE")]
    for line in lines:
        gpus, replicas = f"{line.gpu_count}x {line.gpu}", ", ".join(line.replicas)
        rows.append((line.change, str(line.count), usd(line.usd_per_hour), gpus, line.offer, replicas))
    started = len(proposed.changes.start)
    note = [f"start    {started} missing on nodes that are kept"] if started else []
    return [*columns(rows, right=frozenset({1, 2})), *note]


def _why(proposed: Proposed) -> list[str]:
    plan = proposed.plan
    lines = [line for reason in plan.why for line in paragraph("why".ljust(LABEL), reason)]
    if plan.runner_up:
        lines += paragraph("runner-up", plan.runner_up)
    return [*lines, *paragraph("next".ljust(LABEL), _next(proposed))]


def _next(proposed: Proposed) -> str:
    if proposed.held and proposed.current is not None:
        return f"nothing: plan {proposed.current.id} stays in force"
    if not proposed.changed:
        return "nothing: this is what runs"
    apply, why = whole(f"bouted apply {proposed.plan.id}"), whole(f"bouted why {proposed.plan.id}")
    return f"{apply}  (why: {why})"
