"""GCP in SkyPilot's schema: whole instances put together from their rows. Pure.

A machine's row has no GPU and its price covers none; a GPU's row has no machine. A machine type whose name
fixes its GPUs is whole with the row of that many in its zone. T4, V100 and their like hang on machines of any
shape: no whole price can be read off them, and they stay parts.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from bouted.market.quotes import Row

from .cells import Wrong
from .skyrow import Parts, SkyRow

# GPUs that a machine type brings, by SkyPilot's names for them.
FIXED: dict[str, tuple[str, int]] = {
    **{f"a2-highgpu-{n}g": ("A100", n) for n in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("A100", 16),
    **{f"a2-ultragpu-{n}g": ("A100-80GB", n) for n in (1, 2, 4, 8)},
    **{f"a3-highgpu-{n}g": ("H100", n) for n in (1, 2, 4, 8)},
    "a3-megagpu-8g": ("H100-MEGA", 8),
    "a3-ultragpu-8g": ("H200", 8),
    "a4-highgpu-8g": ("B200", 8),
    **{f"g2-standard-{vcpus}": ("L4", 1) for vcpus in (4, 8, 12, 16, 32)},
    "g2-standard-24": ("L4", 2),
    "g2-standard-48": ("L4", 4),
    "g2-standard-96": ("L4", 8),
    **{f"g4-standard-{48 * n}": ("RTXPRO6000", n) for n in (1, 2, 4, 8)},
}

PRICES = ("Price", "SpotPrice")

Key = tuple[str, int, str]


class Loose:
    """The rows met so far that are no whole GPU instance. `composes`: some are parts of one, as on GCP."""

    def __init__(self, *, composes: bool) -> None:
        self._composes = composes
        self._machines: list[SkyRow] = []
        self._gpus: dict[Key, SkyRow] = {}
        self._plain = self._tpus = 0
        self._whole = 0
        self._used: set[Key] = set()

    def takes(self, row: SkyRow) -> bool:
        """Whether the row is no whole instance, and is kept here; Wrong when it is half a one."""
        if row.accelerator.lower().startswith("tpu"):
            self._tpus += 1
        elif self._composes and not row.instance_type and row.accelerator:
            self._take_gpus(row)
        elif row.instance_type in FIXED and not row.accelerator:
            self._machines.append(row)
        elif not row.accelerator:
            self._plain += 1
        elif not row.instance_type:
            raise Wrong("no InstanceType")
        else:
            return False
        return True

    def _take_gpus(self, row: SkyRow) -> None:
        first = self._gpus.setdefault((row.accelerator, row.gpu_count, row.zone or row.region), row)
        if (first.price, first.spot_price) != (row.price, row.spot_price):
            raise Wrong("the same GPUs in the same zone again; the first row holds")

    def composed(self) -> Iterator[SkyRow]:
        """The whole instances."""
        for machine in self._machines:
            fixed = FIXED.get(machine.instance_type)
            key = (*fixed, machine.zone or machine.region) if fixed else None
            gpus = self._gpus.get(key) if key else None
            if key is None or gpus is None:
                continue
            self._whole += 1
            self._used.add(key)
            yield replace(
                machine,
                accelerator=gpus.accelerator,
                gpu=gpus.gpu,
                gpu_count=gpus.gpu_count,
                price=_sum(machine.price, gpus.price),
                spot_price=_sum(machine.spot_price, gpus.spot_price),
                cells=_both(gpus.cells, machine.cells),
            )

    def left(self) -> Parts:
        """The parts of nothing, once all is composed."""
        return Parts(
            machines=len(self._machines) - self._whole + self._plain,
            accelerators=len(self._gpus) - len(self._used) + self._tpus,
        )


def _sum(machine: Decimal | None, gpus: Decimal | None) -> Decimal | None:
    """Offered only where both are."""
    return None if machine is None or gpus is None else machine + gpus


def _both(gpus: Row, machine: Row) -> Row:
    """Both rows in one: the GPUs' as it stands, and `machine.X` for what the machine's row says otherwise."""
    said = dict(gpus)
    own = ((column, value) for column, value in machine if column in PRICES or said.get(column) != value)
    return gpus + tuple((f"machine.{column}", value) for column, value in own)
