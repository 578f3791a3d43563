"""RunPod's GPU types: from the answer to quotes, one per type, GPU count and market. Pure.

Readers of RunPod's API disagree on whether the price of a pod of several GPUs is for the pod or for one of
them. So only prices of one GPU are read, which are multiplied, as RunPod bills; and of larger pods only the
stock.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from bouted.catalog.names import catalog_gpu
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Unread

from .json_rows import JsonRow, Odd, read_each
from .marketplace_names import rented_name

COUNTS = (1, 2, 4, 8)
# RunPod tells stock in words. What they stand for is a cautious guess of ours.
OBTAINABLE = {"high": 8, "medium": 3, "low": 1, "none": 0}
COLUMNS = ("id", "displayName", "memoryInGb", "maxGpuCountSecureCloud", "securePrice")
PRICES = ("minimumBidPrice", "uninterruptablePrice", "stockStatus")
_PLACED = "secureCloud: true"


def query() -> str:
    """All GPU types with the price of one and the stock of every count, in one question."""
    prices = " ".join(
        f"x{count}: lowestPrice(input: {{gpuCount: {count}, {_PLACED}}}) {{ {' '.join(PRICES)} }}"
        for count in COUNTS
    )
    return f"query {{ gpuTypes {{ {' '.join(COLUMNS)} secureCloud {prices} }} }}"


def read_types(
    items: list[Any], region: str, now: datetime, *, source: str
) -> tuple[tuple[Quote, ...], tuple[Unread, ...]]:
    """The quotes of these types, by id, and the types that were not read."""
    quotes, unread = read_each(source, items, COLUMNS, lambda row: tuple(_quotes(row, region, now, source)))
    kept = {quote.id: quote for quote in quotes}
    return tuple(kept[key] for key in sorted(kept)), tuple(unread)


def _quotes(row: JsonRow, region: str, now: datetime, source: str) -> Iterator[Quote]:
    if row.has("secureCloud") and not row.flag("secureCloud"):
        return
    name = row.text("displayName")
    memory_gib = float(row.number("memoryInGb"))
    if name.lower() == "unknown" or "mig" in name.lower().split() or memory_gib <= 0:
        return  # not to be rented, or a slice of a GPU
    most = row.whole("maxGpuCountSecureCloud", 0, 72) if row.has("maxGpuCountSecureCloud") else max(COUNTS)
    prices = _prices(row)
    for count in (count for count in COUNTS if count <= most):
        stock = _stock(row, count)
        for market, each in prices:
            yield Quote(
                provider="runpod",
                region=region,
                zone="",
                instance_type=rented_name(name, count, memory_gib),
                gpu=catalog_gpu(name, memory_gib),
                gpu_count=count,
                market=market,
                price=each * count,
                currency="USD",
                source=source,
                observed_at=now,
                effective_at=None,
                confidence=Confidence.HIGH if market is Market.ON_DEMAND else Confidence.MEDIUM,
                obtainable=stock,
                hazard_per_hour=None,
                row=(*row.cells(COLUMNS), *_of_one(row).cells(PRICES)),
            )


def _of_one(row: JsonRow) -> JsonRow:
    """What is said of one GPU; nothing where it is sold out."""
    return row.child("x1") if row.has("x1") else JsonRow({})


def _prices(row: JsonRow) -> tuple[tuple[Market, Decimal], ...]:
    """The price of one GPU on each market that it is sold on. While it is sold out, the list price holds."""
    one = _of_one(row)
    prices = []
    if one.has("uninterruptablePrice"):
        prices.append((Market.ON_DEMAND, one.number("uninterruptablePrice")))
    elif row.has("securePrice"):
        prices.append((Market.ON_DEMAND, row.number("securePrice")))
    if one.has("minimumBidPrice"):
        prices.append((Market.SPOT, one.number("minimumBidPrice")))
    if not prices:
        raise Odd("no uninterruptablePrice, securePrice or minimumBidPrice")
    return tuple(prices)


def _stock(row: JsonRow, count: int) -> int | None:
    """How many such pods there are, going by the word for it; None for a word that is new."""
    if not row.has(f"x{count}") or not row.child(f"x{count}").has("stockStatus"):
        return 0
    return OBTAINABLE.get(row.child(f"x{count}").text("stockStatus").lower())
