"""What a GPU is: the facts that decide what fits on it and how fast it can be."""

from dataclasses import dataclass
from enum import StrEnum


class Link(StrEnum):
    """How the GPUs of one instance talk to each other."""

    NVLINK = "nvlink"
    PCIE = "pcie"


class Evidence(StrEnum):
    """Where a figure comes from, best first."""

    MEASURED = "measured"
    INTERPOLATED = "interpolated"
    LEARNED = "learned"
    ROOFLINE = "roofline"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSpec:
    """One GPU type.

    `compute_capability` is CUDA's (9.0 for Hopper); None for GPUs of other makers. FLOP/s are dense, None
    where the GPU has no such arithmetic. Bandwidth and link speed are per GPU in 10^9 bytes/s, the link in
    one direction. `watts` is the power limit, which holds small cards
    below their peak.
    """

    name: str
    memory_gib: float
    bandwidth_gb_per_s: float
    bf16_tflops: float
    fp8_tflops: float | None
    fp4_tflops: float | None
    compute_capability: float | None
    watts: float
    link: Link
    link_gb_per_s: float
    max_fast_group: int
    source: str
    note: str = ""
