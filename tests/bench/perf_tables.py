"""Operator tables that others measured, as data frames with the catalog's GPU names."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

import pandas as pd

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.load import load_catalog
from bouted.perf.curveset import NO_CUDA

DATA = Path(__file__).parents[3] / "shared" / "data"
SYSTEMS = {
    "a100_sxm": "A100-80GB",
    "l40s": "L40S",
    "h100_sxm": "H100-80GB",
    "h200_sxm": "H200",
    "b200_sxm": "B200",
    "b300_sxm": "B300",
    "rtx_pro_6000_server": "RTXPRO6000",
}
SOURCE = "aiconfigurator vLLM operator tables"
OPERATORS = {
    "gemm": "gemm/vllm/*/gemm_perf.parquet",
    "context_attention": "attention/vllm/*/context_attention_perf.parquet",
    "generation_attention": "attention/vllm/*/generation_attention_perf.parquet",
    "custom_allreduce": "comm/vllm/*/custom_allreduce_perf.parquet",
    "moe": "moe/vllm/*/moe_perf.parquet",
    "scale_matrix": "quantize/vllm/*/scale_matrix_perf.parquet",
}


class Origin(TypedDict):
    """Fields that all curves share."""

    gpu: str
    capability: float
    watts: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where the tables are; `more` is aiconfigurator-core's own folder, or None."""

    data: Path = DATA
    more: Path | None = None

    def operator(self, name: str) -> pd.DataFrame:
        """Rows of one operator with a column `gpu`; seconds in `s`. The newest version of each GPU."""
        found = []
        file = self.data / "aiconfigurator_vllm_ops" / f"{name}_perf.parquet"
        if file.exists():
            found.append(pd.read_parquet(file))
        have = set(found[0]["system"]) if found else set()
        for system in SYSTEMS:
            paths = sorted((self.more / system).glob(OPERATORS[name])) if self.more else []
            if paths and system not in have:
                found.append(pd.read_parquet(paths[-1]).assign(system=system))
        if not found:
            return pd.DataFrame({"gpu": [], "s": []})
        table = pd.concat(found, ignore_index=True)
        return table.assign(gpu=table["system"].map(SYSTEMS), s=table["latency"] * 1e-3)


@cache
def gpu(name: str) -> GpuSpec:
    """The catalog's facts."""
    return load_catalog().gpu(name)


def origin(spec: GpuSpec, source: str = SOURCE) -> Origin:
    """Where a curve comes from, as `Measured` keeps it."""
    return Origin(
        gpu=spec.name,
        capability=spec.compute_capability or NO_CUDA,
        watts=spec.watts,
        source=source,
    )
