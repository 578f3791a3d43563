"""On-demand prices through AWS's price list API."""

import json
from collections.abc import Mapping
from datetime import datetime

from bouted.errors import BoutedError
from bouted.market.quotes import Unread

from .aws_client import AwsClient
from .aws_listed import Listed, PriceList, wanted_type
from .aws_read import moment_of, part_of, price_of, row_of, text_of

PRICING_REGION = "us-east-1"  # one of the three places that answer for all regions
HOURS = "Hrs"
_SHOWN = ("instanceType", "regionCode", "gpu", "operatingSystem", "tenancy", "capacitystatus", "marketoption")
# What leaves one row per instance type: without the last two there are capacity blocks and reserved
# machines at 0 as well.
_ONE_ROW = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


def ask_price_list(
    client: AwsClient, region: str, types: tuple[str, ...], source: str, now: datetime, until: float
) -> tuple[PriceList, BoutedError | None]:
    """A region's list prices of these types, and why some may be missing."""
    wanted = {"regionCode": region, **_ONE_ROW}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    asked = {"ServiceCode": "AmazonEC2", "Filters": filters}
    pages = client.pages("pricing", PRICING_REGION, "get_products", "PriceList", until, **asked)
    listed: list[Listed] = []
    unread: list[Unread] = []
    for said in pages.rows:
        product = _parsed(said)
        found = _read(product, region, types)
        if isinstance(found, Listed):
            listed.append(found)
        elif found:
            row = row_of(part_of(part_of(product, "product"), "attributes") or product or said)
            unread.append(Unread(source=source, row=row, reason=found))
    return PriceList(region=region, at=now, listed=tuple(listed), unread=tuple(unread)), pages.problem


def _parsed(said: object) -> object:
    """A product: AWS sends each as JSON inside a text."""
    try:
        return json.loads(said) if isinstance(said, str) else None
    except (ValueError, RecursionError):
        return None


def _read(product: object, region: str, types: tuple[str, ...]) -> Listed | str | None:
    """The price; None for what was not asked for; what is wrong with the row, in a line."""
    attributes = part_of(part_of(product, "product"), "attributes")
    if not isinstance(attributes, Mapping):
        return "no product in it"
    instance_type = text_of(attributes, "instanceType")
    if not instance_type or text_of(attributes, "regionCode") != region:
        return f"no instance type, or not of {region}"
    if not wanted_type(instance_type, types) or any(
        text_of(attributes, field) not in ("", value) for field, value in _ONE_ROW.items()
    ):
        return None
    term = _only(part_of(part_of(product, "terms"), "OnDemand"))
    dimension = _only(part_of(term, "priceDimensions"))
    if text_of(dimension, "unit") != HOURS:
        return "not one price by the hour"
    currency, price = _amount(part_of(dimension, "pricePerUnit"))
    amount = price_of(price)
    if amount is None:
        return "no price, or one that is no number"
    return Listed(
        instance_type=instance_type,
        gpus=text_of(attributes, "gpu"),
        price=amount,
        currency=currency,
        since=moment_of(text_of(term, "effectiveDate")),
        row=(*row_of(_shown(attributes)), ("pricePerUnit", f"{price} {currency}")),
    )


def _shown(attributes: Mapping[object, object]) -> dict[object, object]:
    """The columns that say which price this is; AWS has some sixty."""
    return {name: value for name, value in attributes.items() if name in _SHOWN}


def _only(parts: object) -> object:
    """The one value in a mapping; None when there is none, or more."""
    values = list(parts.values()) if isinstance(parts, Mapping) else []
    return values[0] if len(values) == 1 else None


def _amount(per_unit: object) -> tuple[str, str]:
    """Currency and amount: dollars where they are given, else what is."""
    if not isinstance(per_unit, Mapping) or not per_unit:
        return "", ""
    currency = "USD" if "USD" in per_unit else str(min(per_unit))
    return currency, text_of(per_unit, currency)
