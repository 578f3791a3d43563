"""Which GPUs an Azure size has: the price list names the size only.

From Microsoft's published size tables. A size with a part of a GPU, or with one too old to serve with, is
known and left out; a size that is in neither list is new and worth telling.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSize:
    """A size that can be served on, and its whole GPUs by the catalog's name."""

    name: str
    gpu: str
    gpu_count: int


def _series(gpu: str, counts: dict[str, int]) -> tuple[AzureSize, ...]:
    return tuple(AzureSize(name=f"Standard_{name}", gpu=gpu, gpu_count=n) for name, n in counts.items())


_SIZES = (
    *_series("T4", {"NC4as_T4_v3": 1, "NC8as_T4_v3": 1, "NC16as_T4_v3": 1, "NC64as_T4_v3": 4}),
    *_series("V100-16GB", {"NC6s_v3": 1, "NC12s_v3": 2, "NC24s_v3": 4, "NC24rs_v3": 4}),
    *_series("V100-32GB", {"ND40rs_v2": 8}),
    *_series("A10", {"NV36ads_A10_v5": 1, "NV36adms_A10_v5": 1, "NV72ads_A10_v5": 2}),
    *_series("A100-40GB", {"ND96asr_v4": 8}),
    *_series("A100-80GB", {"ND96amsr_A100_v4": 8}),
    *_series("A100-80GB-PCIE", {"NC24ads_A100_v4": 1, "NC48ads_A100_v4": 2, "NC96ads_A100_v4": 4}),
    *_series("H100-NVL", {"NC40ads_H100_v5": 1, "NC80adis_H100_v5": 2, "NCC40ads_H100_v5": 1}),
    *_series("H100-80GB", {"ND96isr_H100_v5": 8}),
    *_series("H200", {"ND96isr_H200_v5": 8}),
    *_series("MI300X", {"ND96isr_MI300X_v5": 8, "ND96is_MI300X_v5": 8}),
)
SIZES: dict[str, AzureSize] = {size.name: size for size in _SIZES}

_GPU_SIZE = re.compile(r"^Standard_N[CDGV]")
_LEFT_OUT = re.compile(
    r"^Standard_("
    r"NC\d+r?(_Promo)?|NC\d+r?s_v2|ND\d+r?s"  # K80, P100, P40
    r"|NV\d+(_Promo)?|NV\d+s_v[23]|NV\d+as_v4"  # M60, MI25
    r"|NV(6|12|18)ads_A10_v5|NC\d+ads_A10_v4"  # parts of an A10, and a preview
    r"|NG\d+adm?s_V620_v1"
    r")$"
)


def is_gpu_size(name: str) -> bool:
    """Whether a size of this name has GPUs that could matter here, whether they are known or not."""
    return bool(_GPU_SIZE.match(name)) and not _LEFT_OUT.match(name)
