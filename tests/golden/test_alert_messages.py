"""What an alert says: what, its effect in dollars, what was done, and the one command to run."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bouted.alerts.incident import (
    Alert,
    PlanChange,
    SpendView,
    config_rejected,
    hourly_budget,
    monthly_budget,
    plan_changed,
    planning_failed,
)
from bouted.alerts.message import opened, reminder, resolved

SINCE = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
LATER = SINCE + timedelta(hours=12, minutes=5)

SPEND = SpendView(
    plan_id="7f3a2",
    usd_per_hour=Decimal("31.20"),
    budget_usd_per_hour=Decimal(25),
    spent_month_usd=Decimal("9612.40"),
    forecast_month_usd=Decimal("13430.11"),
    budget_usd_per_month=Decimal(12000),
    budget_pct=(80, 100),
)
CHANGE = PlanChange(
    plan_id="9c1d0",
    before_plan_id="7f3a2",
    before_usd_per_hour=Decimal("18.42"),
    after_usd_per_hour=Decimal("16.10"),
    why="the price of gcp spot A100-80GB fell by 38 %",
)
ROLLED_BACK = PlanChange(
    plan_id="7f3a2",
    before_plan_id="9c1d0",
    before_usd_per_hour=Decimal("16.10"),
    after_usd_per_hour=Decimal("18.42"),
    why="p95 ttft is 2.1 s, promised 0.8 s, the target is 1 s, which was met before",
    rolled_back=True,
)


def held(alert: Alert | None) -> Alert:
    assert alert is not None
    return alert


ALERTS = {
    "alert-budget-hour": held(hourly_budget(SPEND)),
    "alert-budget-month": held(monthly_budget(SPEND, SINCE)),
    "alert-plan-changed": held(plan_changed(CHANGE, Decimal(2))),
    "alert-plan-rolled-back": held(plan_changed(ROLLED_BACK, Decimal(2))),
    "alert-config-rejected": held(
        config_rejected("bouted.yaml:7 budget: unknown key (did you mean x?)", "7f3a2")
    ),
    "alert-planning-failed": held(
        planning_failed("the planning worker died with exit code -9: it said nothing", "7f3a2")
    ),
    "alert-planning-failed-first": held(planning_failed("no offer is allowed", "")),
}


@pytest.mark.parametrize("name", ALERTS)
def test_a_message_reads_as_it_should(name: str, golden: Callable[[str, str], None]) -> None:
    golden(name, opened(ALERTS[name], "prod", SINCE))


def test_a_reminder_and_the_last_word_read_as_they_should(golden: Callable[[str, str], None]) -> None:
    alert = ALERTS["alert-budget-hour"]
    texts = (reminder(alert, "prod", SINCE, LATER), resolved(alert.what, "prod", SINCE, LATER))
    golden("alert-goes-on", "\n\n".join(texts))
