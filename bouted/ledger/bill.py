"""A provider's bill for one instance, worked out the short way: what a simulated cloud charges, and what the
ledger is tested against. It shares no code with the ledger but the rule it bills by."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil

from bouted.ledger.rules import BillingRule


def bill_usd(
    started_at: datetime, ended_at: datetime, prices: Sequence[tuple[datetime, Decimal]], rule: BillingRule
) -> Fraction:
    """Dollars for an instance that ran from `started_at` to `ended_at`, exactly.

    `prices` are the dollars per hour from each time on, the first at or before `started_at`. What is rounded
    up costs what the instance cost last.
    """
    used_s = Fraction((ended_at - started_at) // timedelta(microseconds=1), 1_000_000)
    if used_s <= 0:
        return Fraction(0)
    billed_s = ceil(used_s / rule.granularity_s) * rule.granularity_s if rule.granularity_s else used_s
    rounded_s = max(billed_s, rule.minimum_s) - used_s
    within = sorted((at, price) for at, price in prices if at < ended_at)
    usd = rounded_s * Fraction(within[-1][1]) / 3600
    for place, (at, price) in enumerate(within):
        until = within[place + 1][0] if place + 1 < len(within) else ended_at
        seconds = (max(until, started_at) - max(at, started_at)) // timedelta(microseconds=1)
        usd += Fraction(price) * seconds / 3_600_000_000
    return usd
