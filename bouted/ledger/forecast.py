"""Where the month is heading: what was spent, and the fleet as it will stand until the month's end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import NodeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A UTC month and the day in it."""

    day: datetime
    start: datetime
    end: datetime


def month_of(now: datetime) -> Month:
    """The month that `now` is in."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = day.replace(day=1)
    return Month(day=day, start=start, end=(start + timedelta(days=32)).replace(day=1))


def rate_ahead(fleet: FleetState) -> Decimal:
    """Dollars per hour once what is under way has happened: nodes being launched count, those being given
    back do not."""
    staying = (node for node in fleet.nodes if node.live and node.status is not NodeStatus.STOPPING)
    return sum((node.usd_per_hour for node in staying), Decimal(0))


def month_forecast(spent_usd: Decimal, usd_per_hour: Decimal, now: datetime) -> Decimal:
    """The month's dollars when it goes on at `usd_per_hour` to its end."""
    left_h = Decimal(str((month_of(now).end - now).total_seconds())) / 3600
    return spent_usd + usd_per_hour * left_h
