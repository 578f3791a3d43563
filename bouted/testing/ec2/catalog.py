"""What the stand-in cloud has on offer, and the files in which SkyPilot reads it (its catalog, schema v8)."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

ZONES = ("us-east-1a", "us-east-1b", "us-west-2a", "us-west-2b")
IMAGE_ID = "ami-785db401"  # one that moto knows
_TYPES = (
    *("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB"),
    *("GpuInfo", "Price", "SpotPrice", "Region"),
)
_TAGS = (
    "skypilot:custom-cpu-ubuntu",
    "skypilot:custom-gpu-ubuntu",
    "skypilot:custom-gpu-ubuntu-cuda13",
    "skypilot:k80-ubuntu-2004",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An instance type in one zone at its prices; `gpu` "" for none."""

    instance_type: str
    zone: str
    usd_per_hour: Decimal
    spot_usd_per_hour: Decimal
    gpu: str = ""
    gpus: int = 0
    gpu_mib: int = 0
    vcpus: int = 2
    memory_gib: int = 8

    @property
    def region(self) -> str:
        """The region its zone is in."""
        return self.zone[:-1]


def listed(
    instance_type: str, usd: str, spot_usd: str, zones: Sequence[str] = ZONES, **more: object
) -> list[Listing]:
    """The same listing in each of `zones`."""
    prices = {"usd_per_hour": Decimal(usd), "spot_usd_per_hour": Decimal(spot_usd)}
    return [Listing(instance_type=instance_type, zone=zone, **prices, **more) for zone in zones]  # type: ignore[arg-type]


DEFAULT = (
    *listed("m6i.large", "0.096", "0.035"),
    *listed("g5.xlarge", "1.006", "0.402", gpu="A10G", gpus=1, gpu_mib=22888, vcpus=4, memory_gib=16),
    *listed("g6e.xlarge", "1.861", "0.744", gpu="L40S", gpus=1, gpu_mib=45776, vcpus=4, memory_gib=32),
    *listed("g5.12xlarge", "5.672", "2.269", gpu="A10G", gpus=4, gpu_mib=22888, vcpus=48, memory_gib=192),
)


def write_catalog(folder: Path, listings: Iterable[Listing], zone_ids: Mapping[str, str]) -> None:
    """Write the files into `folder`, SkyPilot's `catalogs/v8`. SkyPilot names zones by their ids."""
    rows = list(listings)
    regions = sorted({row.region for row in rows})
    types = sorted({row.instance_type for row in rows})
    gpus = sorted({row.gpu for row in rows if row.gpu})
    image = ("ubuntu", "22.04", IMAGE_ID, "20241104", IMAGE_ID)
    files: dict[str, list[Sequence[object]]] = {
        "aws/vms.csv": [
            (*_TYPES, "AvailabilityZone", "Arch"),
            *((*_type_row(row), zone_ids[row.zone], "x86_64") for row in rows),
        ],
        "aws/images.csv": [
            ("Tag", "Region", "OS", "OSVersion", "ImageId", "CreationDate", "BaseImageId"),
            *((tag, region, *image) for tag in _TAGS for region in regions),
        ],
        "aws/instance_quota_mapping.csv": [
            ("InstanceType", "OnDemandInstanceCode", "SpotInstanceCode"),
            *((name, "L-DB2E81BA", "L-3819A6DF") for name in types),
        ],
        "common/accelerators.csv": [("AcceleratorName", "Clouds"), *((gpu, "['AWS']") for gpu in gpus)],
    }
    for name, lines in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w", newline="") as out:
            csv.writer(out).writerows(lines)


def _type_row(row: Listing) -> tuple[object, ...]:
    gpu = {"Name": row.gpu, "Manufacturer": "NVIDIA", "Count": row.gpus}
    gpu_info = {
        "Gpus": [{**gpu, "MemoryInfo": {"SizeInMiB": row.gpu_mib}}],
        "TotalGpuMemoryInMiB": row.gpu_mib * row.gpus,
    }
    return (
        row.instance_type,
        row.gpu,
        float(row.gpus) if row.gpu else "",
        float(row.vcpus),
        float(row.memory_gib),
        str(gpu_info) if row.gpu else "",
        row.usd_per_hour,
        row.spot_usd_per_hour,
        row.region,
    )
