"""Instance types: from an offer's name for one to SkyPilot's. Pure.

AWS, Lambda and Azure have one name each for a type, which all use. GCP's carry their GPUs or have them hung
on; marketplaces sell without a name, and SkyPilot's are its own.
"""

import re
from dataclasses import dataclass

from bouted.market.offers import Offer

from .skygcp import FIXED


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLaunchable:
    """Nothing that SkyPilot rents is this offer; `reason` is one line."""

    reason: str


# GPUs that hang on N1 machines, by the catalog's name: SkyPilot's name, and how many one machine takes.
_HUNG_ON = {
    "T4": ("T4", (1, 2, 4)),
    "V100-16GB": ("V100", (1, 2, 4, 8)),
    "P100": ("P100", (1, 2, 4)),
    "P4": ("P4", (1, 2, 4)),
}

# RunPod's GPUs that SkyPilot 0.14.1 both lists and can launch: its name for them, what RunPod shows and
# RunPod's own id where that reads otherwise.
RUNPOD = {
    "A100-80GB": ("A100 PCIe", "A100 80GB PCIe"),
    "A100-80GB-SXM": ("A100 SXM", "A100-SXM4-80GB"),
    "A30": ("A30",),
    "A40": ("A40",),
    "B200": ("B200",),
    "H100": ("H100 PCIe",),
    "H100-NVL": ("H100 NVL",),
    "H100-SXM": ("H100 SXM", "H100 80GB HBM3"),
    "H200-SXM": ("H200 SXM", "H200"),
    "L4": ("L4",),
    "L40": ("L40",),
    "L40S": ("L40S",),
    "MI300X": ("MI300X", "Instinct MI300X OAM"),
    "RTX2000-Ada": ("RTX 2000 Ada", "RTX 2000 Ada Generation"),
    "RTX3070": ("RTX 3070", "GeForce RTX 3070"),
    "RTX3080": ("RTX 3080", "GeForce RTX 3080"),
    "RTX3090": ("RTX 3090", "GeForce RTX 3090"),
    "RTX4000-Ada": ("RTX 4000 Ada", "RTX 4000 Ada Generation"),
    "RTX4080": ("RTX 4080", "GeForce RTX 4080"),
    "RTX4090": ("RTX 4090", "GeForce RTX 4090"),
    "RTX5000-Ada": ("RTX 5000 Ada", "RTX 5000 Ada Generation"),
    "RTX5080": ("RTX 5080", "GeForce RTX 5080"),
    "RTX5090": ("RTX 5090", "GeForce RTX 5090"),
    "RTX6000-Ada": ("RTX 6000 Ada", "RTX 6000 Ada Generation"),
    "RTXA4000": ("RTX A4000",),
    "RTXA4500": ("RTX A4500",),
    "RTXA5000": ("RTX A5000",),
    "RTXA6000": ("RTX A6000",),
    "RTXPRO4500": ("RTX PRO 4500", "RTX PRO 4500 Blackwell"),
    "RTXPRO6000": ("RTX PRO 6000", "RTX PRO 6000 Blackwell Server Edition"),
    "RTXPRO6000-WK": ("RTX PRO 6000 WK", "RTX PRO 6000 Blackwell Workstation Edition"),
}

_COUNTED = re.compile(r"(?P<count>\d+)x_(?P<gpu>.+?)(?P<secure>_SECURE)?")
_PLAIN = re.compile(r"[^a-z0-9]")

# The names of `gpus.yaml` that SkyPilot spells otherwise on Kubernetes and SSH pools.
_AT_SKY = {
    "A100-40GB": "A100",
    "A100-40GB-PCIE": "A100",
    "A100-80GB-PCIE": "A100-80GB",
    "H100-80GB": "H100",
    "H100-PCIE": "H100",
    "V100-16GB": "V100",
    "RTX6000-ADA": "RTX6000-Ada",
}


def gpu_at_sky(gpu: str) -> str:
    """SkyPilot's name for a GPU on machines that have no instance type."""
    return _AT_SKY.get(gpu, gpu)


def in_gcp(offer: Offer) -> str | NotLaunchable:
    """The GPUs to hang on the machine, like T4:1; "" where its type brings them."""
    if offer.instance_type in FIXED:
        return ""
    name, counts = _HUNG_ON.get(offer.gpu, ("", ()))
    if offer.instance_type.startswith("n1-") and offer.gpu_count in counts:
        return f"{name}:{offer.gpu_count}"
    return NotLaunchable(reason=f"SkyPilot knows no {offer.gpu_count} x {offer.gpu} in {offer.instance_type}")


def on_azure(offer: Offer) -> str | NotLaunchable:
    """The size, unless SkyPilot's images do not start its GPUs."""
    if offer.instance_type.startswith("Standard_NCC"):
        return NotLaunchable(reason="SkyPilot makes no confidential machines on Azure")
    if offer.gpu.startswith("MI"):
        return NotLaunchable(reason="SkyPilot's image on Azure has NVIDIA's driver alone")
    return offer.instance_type


def on_runpod(offer: Offer) -> str | NotLaunchable:
    """SkyPilot's name for so many of this GPU in RunPod's secure cloud."""
    found = _COUNTED.fullmatch(offer.instance_type)
    name = _BY_NAME.get(_plain(found["gpu"]), "") if found else ""
    if not found or not name:
        return NotLaunchable(reason=f"SkyPilot launches no {offer.instance_type} on RunPod")
    if int(found["count"]) != offer.gpu_count:
        return NotLaunchable(reason=f"{offer.instance_type} has not {offer.gpu_count} GPUs")
    return f"{found['count']}x_{name}_SECURE"


def _plain(name: str) -> str:
    """A GPU's name in letters and digits; RunPod's A100 and H100 all have 80 GB, said or not."""
    return _PLAIN.sub("", name.replace("80GB", "").lower())


_BY_NAME = {_plain(name): sky for sky, shown in RUNPOD.items() for name in (sky, *shown)}
