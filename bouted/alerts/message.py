"""An incident as text: what, its effect in dollars, what was done, the one command to run. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal

from bouted.alerts.incident import HOURS_PER_MONTH, Alert
from bouted.events import Severity

_MARKS = {
    Severity.PAGE: ":rotating_light:",
    Severity.WARNING: ":warning:",
    Severity.NOTICE: ":information_source:",
    Severity.INFO: ":information_source:",
}


def opened(alert: Alert, deployment: str, since: datetime) -> str:
    """The first message about an incident."""
    head = "NOTICE" if alert.once else "OPEN"
    return _text(alert, head, deployment, f"since {since:%Y-%m-%d %H:%M} UTC")


def reminder(alert: Alert, deployment: str, since: datetime, now: datetime) -> str:
    """A later message about an incident that goes on, with today's figures."""
    lasts = f"since {since:%Y-%m-%d %H:%M} UTC, for {_hours(now - since)}"
    return _text(alert, "STILL OPEN", deployment, lasts)


def resolved(what: str, deployment: str, since: datetime, now: datetime) -> str:
    """The last message about an incident; `what` is as it was told last."""
    return f":white_check_mark: RESOLVED  {what}  [bouted@{deployment}]\nLasted {_hours(now - since)}."


def _text(alert: Alert, head: str, deployment: str, when: str) -> str:
    lines = [f"{_MARKS[alert.severity]} {head}  {alert.what}  [bouted@{deployment}]"]
    plan = f"plan {alert.plan_id}" if alert.plan_id else "no plan yet"
    lines.append(f"{_effect(alert.usd_per_hour)}{plan}, {when}")
    lines.append(f"bouted {alert.did}.")
    lines.append(f"Run: `{alert.command}`")
    return "\n".join(lines)


def _effect(usd_per_hour: Decimal | None) -> str:
    if usd_per_hour is None:
        return ""
    return f"{_signed(usd_per_hour)}/h, {_signed(usd_per_hour * HOURS_PER_MONTH)}/month; "


def _signed(usd: Decimal) -> str:
    return f"{'-' if usd < 0 else '+'}${abs(usd):,.2f}"


def _hours(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds())) // 60  # the clock may have been set back
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
