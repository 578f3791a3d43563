"""gpuhunt's catalog items to quotes. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.names import catalog_gpu
from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer, Quote

from .answering import Gathered, shown
from .cells import MOST_GPUS, Wrong, decimal, whole
from .gpu_boards import on_board, slice_of
from .marketplace_names import rented_name

OURS = {"lambdalabs": "lambda"}  # where a provider's name differs from bouted's
ZONED = ("gcp",)  # whose locations are zones; the others' are regions
NO_GPU = ("google",)  # maker of TPUs

# Sold otherwise than one by one at will: by the reservation, or several at least.
NOT_AT_WILL = ("gcp-dws-calendar-mode", "runpod-cluster")
PART_OF_WHOLE = Decimal("0.7")  # less memory than this share of the GPU's: a slice


class ItemReader:
    """Reads items into quotes of one source; `gpus` are those whose memory is known."""

    def __init__(self, source: str, gpus: Iterable[GpuSpec]) -> None:
        self._source = source
        self._whole_gib = {gpu.name: Decimal(str(gpu.memory_gib)) for gpu in gpus}
        self._gathered = Gathered(source)

    def read(self, items: Iterable[Mapping[str, str]], seen_at: datetime) -> None:
        """Take these items, seen at that time."""
        for item in items:
            cells = tuple((column, shown(value)) for column, value in item.items())
            try:
                if _at_will(item):
                    self._gathered.quote(self._quote(item, cells, seen_at))
            except Wrong as wrong:
                self._gathered.refuse(cells, str(wrong))

    def skip(self, told: str) -> None:
        """Take a row that gpuhunt itself could not read, in its words."""
        line = shown(" ".join(told.split()))
        self._gathered.refuse((("gpuhunt", line),), line)

    def answer(self, gaps: tuple[str, ...]) -> Answer:
        """What was taken."""
        return self._gathered.answer(gaps)

    def _quote(self, item: Mapping[str, str], cells: tuple[tuple[str, str], ...], seen_at: datetime) -> Quote:
        provider = item["provider"]
        count = whole(item["gpu_count"], "gpu_count", 1, MOST_GPUS)
        memory_gib = decimal(item["gpu_memory"], "gpu_memory") if item["gpu_memory"] else None
        region, zone = _place(provider, _needed(item, "location"))
        name = _needed(item, "instance_name")
        kind = name if provider != "runpod" else rented_name(name, count, float(memory_gib or 0))
        spot = item["spot"] == "True"
        return Quote(
            provider=OURS.get(provider, provider),
            region=region,
            zone=zone,
            instance_type=kind,
            gpu=self._gpu(_needed(item, "gpu_name"), memory_gib, name),
            gpu_count=count,
            market=Market.SPOT if spot else Market.ON_DEMAND,
            price=decimal(item["price"], "price"),
            currency="USD",
            source=self._source,
            observed_at=seen_at,
            effective_at=None,
            # on AWS a region's spot price is that of its cheapest zone
            confidence=Confidence.LOW if spot and provider == "aws" else Confidence.MEDIUM,
            obtainable=None,
            hazard_per_hour=None,
            row=cells,
        )

    def _gpu(self, name: str, memory_gib: Decimal | None, instance_type: str) -> str:
        gpu = on_board(catalog_gpu(name, None if memory_gib is None else float(memory_gib)), instance_type)
        whole_gib = self._whole_gib.get(gpu)
        if memory_gib and whole_gib and 0 < memory_gib < whole_gib * PART_OF_WHOLE:
            return slice_of(gpu, memory_gib / whole_gib)
        return gpu


def _at_will(item: Mapping[str, str]) -> bool:
    return item["gpu_vendor"] not in NO_GPU and not set(item["flags"].split()) & set(NOT_AT_WILL)


def _place(provider: str, location: str) -> tuple[str, str]:
    """Region and zone; no zone where the provider is sold by region."""
    return (location.rpartition("-")[0] or location, location) if provider in ZONED else (location, "")


def _needed(item: Mapping[str, str], column: str) -> str:
    value = item[column]
    if not value or not value.isprintable():
        raise Wrong(f"no {column}" if not value else f"{column} holds a control character")
    return value
