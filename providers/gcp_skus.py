"""Lines of Google's price list for machines with GPUs. Reading only; nothing is added up here."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from google.cloud.billing_v1 import Sku

from bouted.market.offers import Market
from bouted.market.quotes import Row, Unread

from .gcp_sku_price import exact, price_in_force


class Part(StrEnum):
    """What a line prices. SLICE is a GPU with its share of the whole machine."""

    CORE = "core"
    RAM = "ram"
    GPU = "gpu"
    SSD = "ssd"
    SLICE = "slice"


UNITS = {Part.CORE: "h", Part.RAM: "GiBy.h", Part.GPU: "h", Part.SSD: "GiBy.mo", Part.SLICE: "h"}

# Another kind of contract under a name that begins the same.
_EXCLUDED = re.compile(
    r"\b(dws|calendar mode|defined duration|flex.?start|commit\w*|sole tenancy|reserv\w+|custom|premium"
    r"|suspended)\b",
    re.IGNORECASE,
)
_SPOT = re.compile(r"\bpreemptible\b", re.IGNORECASE)
_START = r"^(?:spot preemptible )?"
_HOST = re.compile(_START + r"(a2|a3 ?plus|a3|g2|g4)(?: instance)? (core|ram)\b", re.IGNORECASE)
_GPU = re.compile(
    _START + r"(?:g4 )?(nvidia [a-z0-9 ]+?|rtx 6000 96gb)(?: gpu)?(?= gpu| attached| running|$)", re.I
)
_SLICE = re.compile(_START + r"a4 nvidia b200 \(1 gpu slice\)", re.IGNORECASE)
_SSD = re.compile(r"^ssd backed local storage\b", re.IGNORECASE)
# The price list's name of a GPU -> the accelerator type of the machines that have it.
_ACCELERATORS = {
    "nvidia l4": "nvidia-l4",
    "nvidia tesla a100": "nvidia-tesla-a100",
    "nvidia tesla a100 80gb": "nvidia-a100-80gb",
    "nvidia a100 80gb": "nvidia-a100-80gb",
    "nvidia h100 80gb": "nvidia-h100-80gb",
    "nvidia h100 80gb mega": "nvidia-h100-mega-80gb",
    "nvidia h100 80gb plus": "nvidia-h100-mega-80gb",
    "nvidia rtx 6000 96gb": "nvidia-rtx-pro-6000",
    "nvidia rtx pro 6000 96gb": "nvidia-rtx-pro-6000",
    "rtx 6000 96gb": "nvidia-rtx-pro-6000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPrice:
    """One line: `of` is a machine family or an accelerator type, "" for disks; `price` is per unit."""

    part: Part
    of: str
    market: Market
    regions: tuple[str, ...]
    price: Decimal
    currency: str
    effective_at: datetime | None
    sku: str
    description: str


def read_sku(sku: Sku, now: datetime) -> ListPrice | Unread | None:
    """The line; None where it is about something else. What contradicts itself is Unread."""
    part, of = _subject(sku.description)
    usage = sku.category.usage_type
    if part is None or _EXCLUDED.search(sku.description) or usage.startswith("Commit"):
        return None
    spot = bool(_SPOT.search(sku.description))
    if usage != ("Preemptible" if spot else "OnDemand"):
        text = "a spot price" if spot else "an on-demand price"
        return _unread(sku, f"the text says {text} and usageType {usage!r}")
    try:
        money, effective_at = price_in_force(sku, UNITS[part], now)
    except ValueError as error:
        return _unread(sku, str(error))
    return ListPrice(
        part=part,
        of=of,
        market=Market.SPOT if spot else Market.ON_DEMAND,
        regions=tuple(sku.service_regions),
        price=exact(money.units, money.nanos),
        currency=money.currency_code,
        effective_at=effective_at,
        sku=sku.sku_id,
        description=sku.description,
    )


def _subject(description: str) -> tuple[Part | None, str]:
    if found := _HOST.search(description):
        return Part(found[2].lower()), found[1].lower().replace(" ", "")
    if _SLICE.search(description):
        return Part.SLICE, "nvidia-b200"
    if _SSD.search(description):
        return Part.SSD, ""
    found = _GPU.search(description)
    accelerator = _ACCELERATORS.get(" ".join(found[1].lower().split())) if found else None
    return (Part.GPU, accelerator) if accelerator else (None, "")


def sku_row(sku: Sku) -> Row:
    """A line's own columns."""
    return (
        ("skuId", sku.sku_id),
        ("description", sku.description),
        ("resourceFamily", sku.category.resource_family),
        ("resourceGroup", sku.category.resource_group),
        ("usageType", sku.category.usage_type),
        ("serviceRegions", " ".join(sku.service_regions)),
        ("unitPrice", "; ".join(_rate(sku))),
    )


def _rate(sku: Sku) -> list[str]:
    return [
        f"{exact(rate.unit_price.units, rate.unit_price.nanos)} {rate.unit_price.currency_code}"
        f" per {info.pricing_expression.usage_unit}"
        for info in sku.pricing_info
        for rate in info.pricing_expression.tiered_rates
    ]


def _unread(sku: Sku, reason: str) -> Unread:
    return Unread(source="gcp", row=sku_row(sku), reason=reason)
