"""Which GPUs an AWS instance type has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bouted.catalog.names import catalog_gpu
from bouted.market.quotes import Unread

from .aws_read import count_of, list_of, part_of, row_of, text_of

MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The GPUs of an instance type, by the catalog's name."""

    instance_type: str
    gpu: str
    gpu_count: int


def read_specs(rows: Iterable[object], source: str) -> tuple[dict[str, Spec], tuple[Unread, ...]]:
    """The types that have whole GPUs, by name, and the rows that could not be read.

    Types without GPUs are passed over: Neuron chips are told apart by AWS itself. So are those with a slice
    of a GPU, which AWS counts as 0.
    """
    specs: dict[str, Spec] = {}
    unread = []
    for row in rows:
        found = _read(row)
        if isinstance(found, Spec):
            specs[found.instance_type] = found
        elif found:
            unread.append(Unread(source=source, row=row_of(row), reason=found))
    return specs, tuple(unread)


def _read(row: object) -> Spec | str | None:
    """The spec; None for a type that is not for us; what is wrong with it, in a line."""
    instance_type = text_of(row, "InstanceType")
    if not instance_type:
        return "an instance type without a name"
    info = part_of(row, "GpuInfo")
    if info is None:
        return None
    gpus = list_of(info, "Gpus")
    if len(gpus) != 1:
        return f"{len(gpus)} kinds of GPU in one instance"
    name, count = text_of(gpus[0], "Name"), count_of(gpus[0], "Count")
    mib = count_of(part_of(gpus[0], "MemoryInfo"), "SizeInMiB")
    if count == 0:
        return None
    if not name or count is None or count < 0 or mib is None or mib <= 0:
        return "GPU name, count or memory is missing"
    return Spec(instance_type=instance_type, gpu=catalog_gpu(name, mib / MIB_PER_GIB), gpu_count=count)


# For the offer file, which counts GPUs and does not name them. Names are those DescribeInstanceTypes gives
# (moto 5.2.5 ships a copy of its answers); p2, p3, g3 and g4ad are from AWS's pages on those instances.
_FAMILIES: Mapping[str, str] = {
    "g4dn": "T4", "g5": "A10G", "g5g": "T4g", "g6": "L4", "gr6": "L4", "g6e": "L40S", "g7": "RTX-PRO-4500",
    "g7e": "RTXPRO6000", "p3": "V100-16GB", "p3dn": "V100-32GB", "p4d": "A100-40GB", "p4de": "A100-80GB",
    "p5": "H100-80GB", "p5e": "H200", "p5en": "H200", "p6-b200": "B200", "p6-b300": "B300",
    "p2": "K80", "g3": "M60", "g3s": "M60", "g4ad": "Radeon-Pro-V520",
}  # fmt: skip
SLICED = ("g6f", "gr6f")  # families that have parts of a GPU


def family_gpu(instance_type: str) -> str:
    """The catalog's name for the GPU of a family that is known here; "" for others."""
    return _FAMILIES.get(instance_type.partition(".")[0], "")
