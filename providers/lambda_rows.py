"""Lambda's instance types: from the answer to quotes, one per type and region. Pure."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bouted.catalog.names import catalog_gpu
from bouted.errors import SourceFailed
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Quote, Unread

from .json_rows import JsonRow, Odd, read_each

ANYWHERE = "any"
COLUMNS = ("name", "price_cents_per_hour", "gpu_description", "description")
_GPU = re.compile(r"^(?:\d+x )?(?P<name>.+?) \((?P<gib>\d+) GB(?: (?P<form>[^)]+))?\)$")


def read_types(
    body: Any, regions: tuple[str, ...], now: datetime, *, source: str
) -> tuple[tuple[Quote, ...], tuple[Unread, ...]]:
    """Quotes of every GPU type in every region, given or named by the answer; and what was not read."""
    types = body.get("data") if isinstance(body, dict) else None
    if not isinstance(types, dict):
        raise SourceFailed("the answer is something else: it has no data with instance types")
    named, _ = read_each(source, types.values(), (), _places)
    everywhere = tuple(sorted({*regions, *named})) or (ANYWHERE,)
    quotes, unread = read_each(
        source, types.values(), (), lambda row: tuple(_quotes(row, everywhere, now, source))
    )
    kept = {quote.id: quote for quote in quotes}
    return tuple(kept[key] for key in sorted(kept)), tuple(unread)


def _places(row: JsonRow) -> tuple[str, ...]:
    """Where the type can be had now."""
    return tuple(region.text("name") for region in row.children("regions_with_capacity_available"))


def _quotes(row: JsonRow, regions: tuple[str, ...], now: datetime, source: str) -> Iterator[Quote]:
    kind = row.child("instance_type")
    count = kind.child("specs").whole("gpus", 0, 72)
    if count == 0:
        return
    places = _places(row)
    cents = kind.number("price_cents_per_hour")
    gpu = gpu_of(kind)
    for region in regions:
        yield Quote(
            provider="lambda",
            region=region,
            zone="",
            instance_type=kind.text("name"),
            gpu=gpu,
            gpu_count=count,
            market=Market.ON_DEMAND,
            price=cents.scaleb(-2),
            currency="USD",
            source=source,
            observed_at=now,
            effective_at=None,
            confidence=Confidence.HIGH,
            obtainable=None if region in places else 0,
            hazard_per_hour=None,
            row=(*kind.cells(COLUMNS), ("regions_with_capacity_available", ", ".join(places))),
        )


def gpu_of(kind: JsonRow) -> str:
    """The GPU's name in the catalog, from words like "A100 (40 GB SXM4)" or "1x A10 (24 GB PCIe)"."""
    words = kind.text("gpu_description" if kind.has("gpu_description") else "description")
    found = _GPU.match(words)
    if found is None:
        raise Odd(f"gpu_description {words[:40]!r} does not read like A100 (40 GB SXM4)")
    name, gib, form = found["name"], float(found["gib"]), found["form"]
    if not form:
        return catalog_gpu(name, gib)
    whole = catalog_gpu(f"{name} {form}", gib)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", f"{name} {form}").strip("-")
    # The form tells parts of different speed apart only where the catalog does.
    return catalog_gpu(name, gib) if whole == plain else whole
