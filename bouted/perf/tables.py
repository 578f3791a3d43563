"""Operator tables of an installed aiconfigurator-core, in place of fitted curves where they reach.

The extra `bouted[aiconfigurator]` brings 90 MB of kernel times that NVIDIA measured (Apache-2.0). Dense
layers and all-reduces, most of a step, are interpolated in logarithms between its cells; what a
table does not hold stays fitted.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bouted.catalog.precision import Precision
from bouted.perf.layout import Layout

Floats = npt.NDArray[np.float64]

PACKAGE = "aiconfigurator_core"
SYSTEMS = {
    "A100-80GB": "a100_sxm",
    "L40S": "l40s",
    "RTXPRO6000": "rtx_pro_6000_server",
    "H100-80GB": "h100_sxm",
    "H200": "h200_sxm",
    "B200": "b200_sxm",
    "B300": "b300_sxm",
}
ARITHMETIC = {Precision.BF16: "bfloat16", Precision.FP8: "fp8", Precision.NVFP4: "nvfp4"}
TOKENS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
ELEMENT = 2  # bytes: all-reduce tables count 16-bit elements


@dataclass(frozen=True, slots=True)
class _Grid:
    """Seconds over ascending axes, both in logarithms."""

    axes: tuple[Floats, ...]
    seconds: Floats

    def at(self, *where: float) -> float | None:
        """Seconds between the cells, linear in logarithms; None outside of them or where one is missing."""
        point = np.log(np.array(where))
        value = self.seconds
        for axis, x in zip(self.axes, point, strict=True):
            if not axis[0] - 1e-9 <= x <= axis[-1] + 1e-9:
                return None
            right = int(np.clip(np.searchsorted(axis, x), 1, len(axis) - 1))
            part = (x - axis[right - 1]) / (axis[right] - axis[right - 1])
            value = value[right - 1] * (1 - part) + value[right] * part
        return None if np.isnan(value) else float(np.exp(value))


@dataclass(frozen=True, slots=True)
class OperatorTables:
    """The tables below `root`, aiconfigurator-core's `systems/data`."""

    root: Path

    def gemm_s(self, gpu: str, arithmetic: Precision, m: float, n: float, k: float) -> float | None:
        """Seconds of an `m x k` by `k x n` product; None where the table does not reach."""
        grid = _gemms(self.root, gpu).get(ARITHMETIC.get(arithmetic, ""))
        return None if grid is None else grid.at(m, n, k)

    def reduce_s(self, gpu: str, gpus: int, message_bytes: float) -> float | None:
        """Seconds of one all-reduce inside a CUDA graph; None where the table does not reach."""
        grid = _reduces(self.root, gpu).get(gpus)
        return None if grid is None else grid.at(message_bytes / ELEMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLayout(Layout):
    """A layout whose dense layers and all-reduces come from `tables` where they can."""

    tables: OperatorTables

    def gemm_s(self, m: float, n: float, k: float, *, low: bool) -> float:
        """One dense layer. Weights of less precision than the arithmetic are in no table."""
        quantised = low and self.precision is not Precision.MXFP4
        arithmetic = self.arithmetic if quantised else Precision.BF16
        plain = not quantised or arithmetic is self.precision
        found = self.tables.gemm_s(self.gpu.name, arithmetic, m, n, k) if plain else None
        return Layout.gemm_s(self, m, n, k, low=low) if found is None else found

    def all_reduce_s(self, message_bytes: float) -> float:
        """One all-reduce over the group."""
        found = self.tables.reduce_s(self.gpu.name, self.tp, message_bytes)
        return Layout.all_reduce_s(self, message_bytes) if found is None else found

    @property
    def measured(self) -> bool:
        """Whether dense layers of usual size come from the tables."""
        return self.tables.gemm_s(self.gpu.name, self.arithmetic, 64, 4096, 4096) is not None


@cache
def installed_tables() -> OperatorTables | None:
    """The tables of the installed aiconfigurator-core; None without it."""
    found = find_spec(PACKAGE)
    places = found.submodule_search_locations if found else None
    root = Path(next(iter(places))) / "systems" / "data" if places else None
    return OperatorTables(root) if root is not None and root.is_dir() else None


def _newest(root: Path, gpu: str, pattern: str) -> Any:
    """The newest version's rows, or None."""
    import pandas as pd

    paths = sorted((root / SYSTEMS[gpu]).glob(pattern)) if gpu in SYSTEMS else []
    return pd.read_parquet(paths[-1]) if paths else None


@cache
def _gemms(root: Path, gpu: str) -> dict[str, _Grid]:
    """Grids over (m, n, k) by arithmetic; the faster kernel of each size."""
    rows = _newest(root, gpu, "gemm/vllm/*/gemm_perf.parquet")
    if rows is None:
        return {}
    rows = rows[rows["m"].isin(TOKENS)]
    return {
        str(kind): _grid(found, ("m", "n", "k"))
        for kind, found in rows.groupby("gemm_dtype")
        if kind in ARITHMETIC.values()
    }


@cache
def _reduces(root: Path, gpu: str) -> dict[int, _Grid]:
    rows = _newest(root, gpu, "comm/vllm/*/custom_allreduce_perf.parquet")
    if rows is None:
        return {}
    rows = rows[rows["backend"] == "vllm_graph"]
    return {int(gpus): _grid(found, ("message_size",)) for gpus, found in rows.groupby("num_gpus")}


def _grid(rows: Any, names: tuple[str, ...]) -> _Grid:
    """Milliseconds in the table's column `latency`; cells that nobody measured are NaN."""
    axes = [np.sort(rows[name].unique()).astype(float) for name in names]
    seconds = np.full([len(axis) for axis in axes], np.nan)
    best = rows.groupby(list(names), as_index=False)["latency"].min()
    where = tuple(
        np.searchsorted(axis, best[name].to_numpy(float)) for axis, name in zip(axes, names, strict=True)
    )
    seconds[where] = np.log(best["latency"].to_numpy(float) * 1e-3)
    return _Grid(axes=tuple(np.log(axis) for axis in axes), seconds=seconds)
