"""Cost lines as the FinOps Foundation's FOCUS 1.2: one charge per place of a node, per day, at one price.

Columns that the specification calls mandatory are all there, and those of its conditional ones that the
ledger can fill. What bouted alone knows stands in columns that begin with `x_`, as the specification wants.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TextIO

from bouted.ledger.charge import as_decimal
from bouted.ledger.prices import HOUR_US
from bouted.ledger.shares import CostLine
from bouted.market.offers import Market

COLUMNS = (
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "Tags",
    "x_Estimated",
    "x_GpuHours",
    "x_Model",
    "x_Replica",
)
_US = timedelta(microseconds=1)
_PRICING = {Market.SPOT: "Dynamic", Market.ON_DEMAND: "Standard", Market.OWNED: "Other"}


def focus_csv(lines: Iterable[CostLine], out: TextIO) -> int:
    """Writes the charges as CSV with a header; how many there are."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for line in lines:
        for part in by_day(line):
            writer.writerow(_row(part))
            count += 1
    return count


def by_day(line: CostLine) -> Iterator[CostLine]:
    """The line cut at midnights, UTC; its parts sum exactly to it."""
    whole, start = (line.end - line.start) // _US, line.start
    while start < line.end:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        end = min(line.end, midnight)
        yield replace(line, start=start, end=end, usd=line.usd * Fraction((end - start) // _US, whole))
        start = end


def _row(line: CostLine) -> dict[str, str]:
    offer, cost = line.offer, f"{as_decimal(line.usd):.10f}"
    hours = f"{as_decimal(Fraction((line.end - line.start) // _US, HOUR_US)):.6f}"
    month = line.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    what = f"{line.place.gpus}x {offer.gpu} of {offer.instance_type} for {line.place.model}"
    tags = {"bouted-model": line.place.model, "bouted-node": line.node, "bouted-market": offer.market.value}
    return {
        "AvailabilityZone": offer.zone,
        "BilledCost": cost,
        "BillingAccountId": offer.provider,
        "BillingAccountName": offer.provider,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _time((month + timedelta(days=32)).replace(day=1)),
        "BillingPeriodStart": _time(month),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": what,
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": _time(line.end),
        "ChargePeriodStart": _time(line.start),
        "ConsumedQuantity": hours,
        "ConsumedUnit": "Hours",
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": offer.provider,
        "ListCost": cost,
        "PricingCategory": _PRICING[offer.market],
        "PricingQuantity": hours,
        "PricingUnit": "Hours",
        "ProviderName": offer.provider,
        "PublisherName": offer.provider,
        "RegionId": offer.region,
        "RegionName": offer.region,
        "ResourceId": line.node,
        "ResourceName": line.replica,
        "ResourceType": offer.instance_type,
        "ServiceCategory": "Compute",
        "ServiceName": "GPU instances",
        "SkuId": offer.id,
        "Tags": json.dumps(tags, sort_keys=True),
        "x_Estimated": "true" if line.estimated else "false",
        "x_GpuHours": f"{as_decimal(line.gpu_hours):.6f}",
        "x_Model": line.place.model,
        "x_Replica": line.replica,
    }


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
