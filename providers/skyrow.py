"""One row of SkyPilot's catalog schema, read strictly. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bouted.catalog.names import catalog_gpu
from bouted.market.quotes import Row

from .answering import shown
from .cells import MOST_GPUS, Wrong, decimal
from .gpu_boards import on_board, slice_of

NOTHING = frozenset({"", "nan", "none", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyRow:
    """What a row says, as it stands. A price of None is not offered; a slice has a `gpu_count` of 1."""

    instance_type: str
    accelerator: str
    gpu: str
    gpu_count: int
    region: str
    zone: str
    price: Decimal | None
    spot_price: Decimal | None
    cells: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """How many rows are part of no GPU instance: machines without GPUs, GPUs without a machine."""

    machines: int
    accelerators: int


class RowReader:
    """Reads rows, and looks each GPU's name up once."""

    def __init__(self) -> None:
        self._gpus: dict[tuple[str, str, str], tuple[str, int]] = {}

    def read(self, row: Mapping[str, str]) -> SkyRow:
        """What the row says; Wrong when a cell cannot be read."""
        texts = [value or "" for value in row.values()]
        if not all(map(str.isprintable, texts)):
            raise Wrong("holds a control character")
        if not row.get("Region"):
            raise Wrong("no Region")
        accelerator = row.get("AcceleratorName") or ""
        accelerator = "" if accelerator.lower() in NOTHING else accelerator
        instance_type = row.get("InstanceType") or ""
        gpu, count = self._gpu(accelerator, row.get("AcceleratorCount") or "", instance_type)
        return SkyRow(
            instance_type="" if instance_type.lower() in NOTHING else instance_type,
            accelerator=accelerator,
            gpu=gpu,
            gpu_count=count,
            region=row["Region"],
            zone=row.get("AvailabilityZone") or "",
            price=_price(row.get("Price") or "", "Price"),
            spot_price=_price(row.get("SpotPrice") or "", "SpotPrice"),
            cells=tuple(zip(row, texts, strict=True)),
        )

    def _gpu(self, accelerator: str, count: str, instance_type: str) -> tuple[str, int]:
        if not accelerator:
            return "", 0
        key = (accelerator, count, instance_type)
        found = self._gpus.get(key)
        if found is None:
            found = self._gpus[key] = _gpu(*key)
        return found


def cells_of(row: Mapping[str, str]) -> Row:
    """A row's own columns and words."""
    return tuple((shown(str(column)), shown(str(value or ""))) for column, value in row.items())


def _gpu(accelerator: str, count_text: str, instance_type: str) -> tuple[str, int]:
    """The catalog's name and how many; a slice is one of a kind of its own."""
    gpu = on_board(catalog_gpu(accelerator), instance_type)
    count = decimal(count_text, "AcceleratorCount")
    if 0 < count < 1:
        return slice_of(gpu, count), 1
    if count != count.to_integral_value() or not 1 <= count <= MOST_GPUS:
        raise Wrong(f"AcceleratorCount {count_text[:40]!r} is no count of GPUs")
    return gpu, int(count)


def _price(text: str, column: str) -> Decimal | None:
    return None if text.strip().lower() in NOTHING else decimal(text.strip(), column)
