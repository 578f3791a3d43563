"""The price in a line of Google's price list: the one in force, exactly as it is written. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

from google.cloud.billing_v1 import Sku
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money


def exact(units: int, nanos: int) -> Decimal:
    """Google's money as a Decimal, without a float on the way."""
    return Decimal(units) + Decimal(nanos).scaleb(-9)


def price_in_force(sku: Sku, unit: str, now: datetime) -> tuple[Money, datetime | None]:
    """The one price in force at `now`; ValueError where there is none, or it is of another unit."""
    dated = [
        (_time(Sku.pb(sku).pricing_info[at].effective_time), info) for at, info in enumerate(sku.pricing_info)
    ]
    begun = [one for one in dated if one[0] is None or one[0] <= now] or dated
    if not begun:
        raise ValueError("has no pricingInfo")
    effective_at, info = max(begun, key=lambda one: one[0] or datetime.min.replace(tzinfo=UTC))
    expression = info.pricing_expression
    if expression.usage_unit != unit:
        raise ValueError(f"usageUnit is {expression.usage_unit!r} and not {unit!r}")
    rates = expression.tiered_rates
    if len(rates) != 1 or rates[0].start_usage_amount != 0:
        raise ValueError(f"has {len(rates)} tiered rates and not one from 0 on")
    money: Money = rates[0].unit_price
    if not money.currency_code:
        raise ValueError("unitPrice has no currencyCode")
    return money, min(effective_at, now) if effective_at else None


def _time(said: Timestamp) -> datetime | None:
    if said.seconds == 0 and said.nanos == 0:
        return None
    try:
        at: datetime = said.ToDatetime(tzinfo=UTC)
        return at
    except (ValueError, OverflowError) as error:
        raise ValueError(f"effectiveTime is no time: {error}") from error
