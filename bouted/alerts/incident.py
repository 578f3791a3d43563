"""What is worth telling people about: each incident built by a named constructor, or None. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.events import Severity

HOURS_PER_MONTH = 730
SETTLE_S = 120.0  # a move may pass the hourly budget for a moment: the surge allows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One incident. `key` tells it from all others, now and after a restart.

    Alerts of one `group` are levels of one thing: a higher one takes the place of a lower one.
    `usd_per_hour` is what the incident costs (negative: saves), None where money is not the matter.
    `did` is what bouted did about it, `command` the one to run. It must hold for `wait_s` before it is
    told. `once`: told a single time, never reminded or resolved.
    """

    key: str
    group: str
    severity: Severity
    what: str
    usd_per_hour: Decimal | None
    did: str
    command: str
    plan_id: str
    wait_s: float = 0.0
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendView:
    """Money now, beside what may be spent. `budget_pct` are the levels at which people want to know."""

    plan_id: str
    usd_per_hour: Decimal
    budget_usd_per_hour: Decimal
    spent_month_usd: Decimal
    forecast_month_usd: Decimal
    budget_usd_per_month: Decimal | None
    budget_pct: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """A plan took the place of another. `why` is the new plan's first reason; with `rolled_back`, why the one
    before was worse than promised."""

    plan_id: str
    before_plan_id: str
    before_usd_per_hour: Decimal
    after_usd_per_hour: Decimal
    why: str
    rolled_back: bool = False


def hourly_budget(spend: SpendView) -> Alert | None:
    """The fleet costs more than the hourly budget.

    Levels below 100 % do not apply here: a plan is meant to use the hourly budget, not to pass it.
    """
    over = spend.usd_per_hour - spend.budget_usd_per_hour
    if over <= 0:
        return None
    return Alert(
        key="budget_hour",
        group="budget_hour",
        severity=Severity.PAGE,
        what=f"Hourly budget passed: ${spend.usd_per_hour:,.2f}/h of ${spend.budget_usd_per_hour:,.2f}/h",
        usd_per_hour=over,
        did="starts nothing that costs more; plans again for less",
        command="bouted status",
        plan_id=spend.plan_id,
        wait_s=SETTLE_S,
    )


def monthly_budget(spend: SpendView, now: datetime) -> Alert | None:
    """Spending this month (UTC) passed one of the levels; only the highest of them counts."""
    budget = spend.budget_usd_per_month
    if budget is None:
        return None
    passed = [pct for pct in spend.budget_pct if spend.spent_month_usd * 100 >= budget * pct]
    if not passed:
        return None
    level, group = max(passed), f"budget_month:{now:%Y-%m}"
    used = spend.spent_month_usd / budget * 100
    return Alert(
        key=f"{group}:{level}",
        group=group,
        severity=Severity.PAGE if level >= 100 else Severity.WARNING,
        what=f"Monthly budget {used:.0f} % used: ${spend.spent_month_usd:,.2f} of ${budget:,.2f},"
        f" forecast ${spend.forecast_month_usd:,.2f}",
        usd_per_hour=spend.usd_per_hour,
        did="goes on within the hourly budget",
        command="bouted status",
        plan_id=spend.plan_id,
    )


def plan_changed(change: PlanChange, min_usd_per_hour: Decimal) -> Alert | None:
    """A new plan costs more, or less, than the one before by over `min_usd_per_hour`; or one was rolled
    back, whatever it costs."""
    by = change.after_usd_per_hour - change.before_usd_per_hour
    if change.rolled_back:
        return _rolled_back(change, by)
    if abs(by) <= min_usd_per_hour:
        return None
    return Alert(
        key=f"plan_changed:{change.plan_id}",
        group=f"plan_changed:{change.plan_id}",
        severity=Severity.NOTICE,
        what=f"Plan changed: ${change.before_usd_per_hour:,.2f}/h -> ${change.after_usd_per_hour:,.2f}/h",
        usd_per_hour=by,
        did=f"replaced plan {change.before_plan_id}: {change.why}",
        command="bouted history --plans",
        plan_id=change.plan_id,
        once=True,
    )


def _rolled_back(change: PlanChange, by: Decimal) -> Alert:
    key = f"plan_rolled_back:{change.before_plan_id}"
    return Alert(
        key=key,
        group=key,
        severity=Severity.WARNING,
        what=f"Plan {change.before_plan_id} rolled back: {change.why}",
        usd_per_hour=by,
        did=f"put plan {change.plan_id} back in force; plans again, without that design for a while",
        command="bouted history --plans",
        plan_id=change.plan_id,
        once=True,
    )


def deadman_failing(trouble: str, plan_id: str) -> Alert | None:
    """Leases of nodes cannot be renewed; `trouble` is "" while they can."""
    return _standing("deadman", Severity.PAGE, trouble, "tries again every few minutes", plan_id)


def list_failing(trouble: str, plan_id: str) -> Alert | None:
    """The launcher's list cannot be had or believed; `trouble` is "" while it can."""
    did = "goes by its own records; takes nothing to be gone"
    return _standing("list_failing", Severity.WARNING, trouble, did, plan_id)


def launcher_failing(trouble: str, plan_id: str) -> Alert | None:
    """What the launcher leans on does not answer; `trouble` is "" while it does."""
    did = "goes on with what runs; tries again; launches and ends nothing meanwhile"
    return _standing("launcher_failing", Severity.WARNING, trouble, did, plan_id)


def routes_failing(trouble: str, plan_id: str) -> Alert | None:
    """The gateways cannot be given a new route table; `trouble` is "" while they can."""
    did = "tries again every second; goes on to launch and start"
    return _standing("routes_failing", Severity.PAGE, trouble, did, plan_id)


def rows_lost(trouble: str, plan_id: str) -> Alert | None:
    """More runs without a row than may be ended by itself; `trouble` is "" otherwise."""
    return _standing("rows_lost", Severity.PAGE, trouble, "leaves all of it running", plan_id)


def needs_attention(names: tuple[str, ...], plan_id: str) -> Alert | None:
    """What is known of these nodes and replicas cannot be, or does not end."""
    what = f"Need attention: {', '.join(names)}" if names else ""
    did = "leaves them out of the plan; counts what they cost"
    return _standing("needs_attention", Severity.WARNING, what, did, plan_id)


def _standing(key: str, severity: Severity, trouble: str, did: str, plan_id: str) -> Alert | None:
    if not trouble:
        return None
    return Alert(
        key=key,
        group=key,
        severity=severity,
        what=f"{trouble[0].upper()}{trouble[1:]}",
        usd_per_hour=None,
        did=did,
        command="bouted status",
        plan_id=plan_id,
    )


def config_rejected(error: str, plan_id: str) -> Alert | None:
    """The config file was edited and cannot be used; `error` is "" when it is fine."""
    if not error:
        return None
    return Alert(
        key="config_rejected",
        group="config_rejected",
        severity=Severity.WARNING,
        what=f"Config rejected: {error.splitlines()[0]}",
        usd_per_hour=None,
        did="keeps the last good config in force",
        command="bouted check",
        plan_id=plan_id,
    )


def planning_failed(error: str, plan_id: str) -> Alert | None:
    """Planning failed and has not worked since; `error` is "" while it works, `plan_id` without a plan."""
    if not error:
        return None
    stands = f"keeps plan {plan_id} in force" if plan_id else "has no plan to fall back on"
    return Alert(
        key="planning_failed",
        group="planning_failed",
        severity=Severity.WARNING if plan_id else Severity.PAGE,
        what=f"Planning failed: {error.splitlines()[0]}",
        usd_per_hour=None,
        did=f"{stands}; plans again by itself",
        command="bouted status",
        plan_id=plan_id,
    )
