"""What was spent today and this month, and where the month is heading."""

from datetime import datetime, timedelta
from decimal import Decimal

from bouted.daemon.board import Spend
from bouted.store.open import Store
from bouted.store.spend import spend_usd


def spend_so_far(store: Store, usd_per_hour: Decimal, now: datetime) -> Spend:
    """Dollars by UTC day and month; the forecast goes on at `usd_per_hour` to the end of the month."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    following = (month + timedelta(days=32)).replace(day=1)
    spent = spend_usd(store, month, now)
    left_h = Decimal(str((following - now).total_seconds())) / 3600
    return Spend(
        today_usd=spend_usd(store, day, now),
        month_usd=spent,
        forecast_month_usd=spent + usd_per_hour * left_h,
    )
