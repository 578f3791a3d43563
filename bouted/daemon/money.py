"""What was spent today and this month, and where the month is heading."""

from datetime import datetime
from decimal import Decimal

from bouted.daemon.board import Spend
from bouted.ledger.forecast import month_forecast, month_of, rate_ahead
from bouted.ledger.rules import SHIPPED, BillingRule
from bouted.reconcile.fleet import FleetState
from bouted.store.open import Store
from bouted.store.spend import spend_usd


def spend_so_far(
    store: Store, fleet: FleetState | None, now: datetime, rules: tuple[BillingRule, ...] = SHIPPED
) -> Spend:
    """Dollars by UTC day and month; the forecast goes on with the fleet as it is about to stand."""
    month = month_of(now)
    spent = month_so_far_usd(store, now, rules)
    ahead = rate_ahead(fleet) if fleet is not None else Decimal(0)
    return Spend(
        today_usd=spend_usd(store, month.day, now, rules),
        month_usd=spent,
        forecast_month_usd=month_forecast(spent, ahead, now),
    )


def month_so_far_usd(store: Store, now: datetime, rules: tuple[BillingRule, ...] = SHIPPED) -> Decimal:
    """Dollars spent since the UTC month began."""
    return spend_usd(store, month_of(now).start, now, rules)
