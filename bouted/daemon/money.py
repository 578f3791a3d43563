"""What was spent today and this month, and where the month is heading, at what clouds are known to bill."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from bouted.daemon.board import Spend
from bouted.ledger.charge import as_decimal, charged_usd
from bouted.ledger.forecast import month_forecast, month_of, rate_ahead
from bouted.ledger.prices import HOUR_US
from bouted.ledger.rules import SHIPPED, BillingRule, rule_for
from bouted.reconcile.fleet import FleetState
from bouted.store.open import Store
from bouted.store.spend import billed_accounts_between

SUM_EVERY = timedelta(seconds=60)


def spend_so_far(
    store: Store, fleet: FleetState | None, now: datetime, rules: tuple[BillingRule, ...] = SHIPPED
) -> Spend:
    """Dollars by UTC day and month; the forecast goes on with the fleet as it is about to stand."""
    return _told(_summed(store, now, rules), fleet, now)


def month_so_far_usd(store: Store, now: datetime, rules: tuple[BillingRule, ...] = SHIPPED) -> Decimal:
    """Dollars spent since the UTC month began."""
    return _summed(store, now, rules).month_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What had been spent at an instant of its day and month, and what was committed then."""

    at: datetime
    day_usd: Decimal
    month_usd: Decimal
    usd_per_hour: Decimal

    def gone_on(self, now: datetime) -> "Sums | None":
        """The same a while later, at what was committed; None after too long, in another day, or before."""
        if now.date() != self.at.date() or not timedelta(0) <= now - self.at < SUM_EVERY:
            return None
        since = self.usd_per_hour * ((now - self.at) // timedelta(microseconds=1)) / HOUR_US
        return Sums(
            at=now,
            day_usd=self.day_usd + since,
            month_usd=self.month_usd + since,
            usd_per_hour=self.usd_per_hour,
        )


@dataclass(slots=True)
class Purse:
    """Tells what was spent as often as it is asked, though a month of nodes is summed once a minute: in
    between it goes on at what is committed."""

    store: Store
    rules: Callable[[], tuple[BillingRule, ...]]
    sums: Sums | None = None

    def month_usd(self, now: datetime) -> Decimal:
        """Dollars since the UTC month began."""
        return self._at(now).month_usd

    def spend(self, fleet: FleetState | None, now: datetime) -> Spend:
        """Dollars by UTC day and month, and the forecast."""
        return _told(self._at(now), fleet, now)

    def _at(self, now: datetime) -> Sums:
        found = self.sums.gone_on(now) if self.sums is not None else None
        if found is None:
            found = self.sums = _summed(self.store, now, self.rules())
        return found


def _summed(store: Store, now: datetime, rules: tuple[BillingRule, ...]) -> Sums:
    month = month_of(now)
    day_usd, month_usd, usd_per_hour = Fraction(0), Fraction(0), Decimal(0)
    for account in billed_accounts_between(store, month.start, now):
        rule = rule_for(account.provider, rules)
        before = charged_usd(account, rule, month.start, month.day)
        today = charged_usd(account, rule, month.day, now)
        day_usd += today
        month_usd += before + today
        usd_per_hour += account.usd_per_hour_now if account.open else Decimal(0)
    return Sums(
        at=now,
        day_usd=as_decimal(day_usd),
        month_usd=as_decimal(month_usd),
        usd_per_hour=usd_per_hour,
    )


def _told(sums: Sums, fleet: FleetState | None, now: datetime) -> Spend:
    ahead = rate_ahead(fleet) if fleet is not None else Decimal(0)
    return Spend(
        today_usd=sums.day_usd,
        month_usd=sums.month_usd,
        forecast_month_usd=month_forecast(sums.month_usd, ahead, now),
    )
