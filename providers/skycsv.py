"""SkyPilot's catalog schema: rows to quotes of one cloud. Pure.

Columns: InstanceType, AcceleratorName, AcceleratorCount, vCPUs, MemoryGiB, GpuInfo, Price, SpotPrice, Region,
AvailabilityZone; any others are kept in a quote's row and mean nothing here. A blank or NaN price is not
offered. On GCP a machine and its GPUs are rows of their own: see `skygcp`.

GPUs are named after AcceleratorName and, where it spells the board, InstanceType; GpuInfo is not read, its
sizes come in three units. A slice of a GPU is one GPU of its own kind: a third of an A10 is one "A10-0.333".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer, Quote

from .answering import Gathered
from .cells import Wrong
from .skygcp import Loose
from .skyrow import Parts, RowReader, SkyRow, cells_of

NEEDED = frozenset({"InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyRead:
    """The quotes of some rows, and what was left over."""

    answer: Answer
    parts: Parts


def looks_like_sky(header: Iterable[str]) -> bool:
    """Whether a table with these columns is in SkyPilot's schema."""
    return set(header) >= NEEDED


def read_sky_rows(
    rows: Iterable[Mapping[str, str]],
    *,
    cloud: str,
    source: str,
    observed_at: datetime,
    confidence: Confidence = Confidence.MEDIUM,
) -> Answer:
    """The quotes in `rows`, all of one cloud: on-demand from Price, spot from SpotPrice."""
    return read_sky(rows, cloud=cloud, source=source, observed_at=observed_at, confidence=confidence).answer


def read_sky(
    rows: Iterable[Mapping[str, str]],
    *,
    cloud: str,
    source: str,
    observed_at: datetime,
    confidence: Confidence = Confidence.MEDIUM,
) -> SkyRead:
    """As `read_sky_rows`, and how many rows were parts."""
    said = Said(cloud=cloud, source=source, observed_at=observed_at, confidence=confidence)
    gathered = Gathered(source)
    reader = RowReader()
    loose = Loose(composes=cloud == "gcp")
    for row in rows:
        try:
            read = reader.read(row)
            if not loose.takes(read):
                gathered.quotes(said.quotes(read))
                if read.price is None:
                    raise Wrong("no on-demand price")
        except Wrong as wrong:
            gathered.refuse(cells_of(row), str(wrong))
    for whole in loose.composed():
        gathered.quotes(said.quotes(whole))
    return SkyRead(answer=gathered.answer(), parts=loose.left())


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who says it and when: what all quotes of a reading share."""

    cloud: str
    source: str
    observed_at: datetime
    confidence: Confidence

    def quotes(self, row: SkyRow) -> Iterable[Quote]:
        """One quote per market on which the row has a price; Vast writes 0 where it offers no spot."""
        if row.price is not None:
            yield self._quote(row, Market.ON_DEMAND, row.price)
        if row.spot_price is not None and not (self.cloud == "vast" and row.spot_price == 0):
            yield self._quote(row, Market.SPOT, row.spot_price)

    def _quote(self, row: SkyRow, market: Market, price: Decimal) -> Quote:
        return Quote(
            provider=self.cloud,
            region=row.region,
            zone=row.zone,
            instance_type=row.instance_type,
            gpu=row.gpu,
            gpu_count=row.gpu_count,
            market=market,
            price=price,
            currency="USD",
            source=self.source,
            observed_at=self.observed_at,
            effective_at=None,
            confidence=self.confidence,
            obtainable=None,
            hazard_per_hour=None,
            row=row.cells,
        )
