"""All-reduces by group size, and small kernels."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from perf_least import least
from perf_tables import Tables, gpu, origin

from bouted.catalog.gpus import GpuSpec
from bouted.perf.curves import KernelCurve, ReduceCurve

GRAPH, EAGER = "vllm_graph", "vllm_eager"
MOST_ELEMENTS = 2**27
ELEMENT = 2  # bytes: sizes in the table count 16-bit elements, as its NCCL twin in 8 and 16 bits shows
READ_AND_WRITTEN = 3  # bytes an element: 16 bits in, 8 out


def reduce_curves(tables: Tables) -> Iterator[ReduceCurve]:
    """A curve for each GPU and group, from messages of a kilobyte to a quarter of a gigabyte."""
    table = tables.operator("custom_allreduce")
    table = table[(table["backend"] == GRAPH) & table["message_size"].between(512, MOST_ELEMENTS)]
    for (name, gpus), rows in table.groupby(["gpu", "num_gpus"]):
        yield _reduce(gpu(str(name)), int(gpus), rows)


def kernel_curves(tables: Tables) -> Iterator[KernelCurve]:
    """A curve for each GPU with a table of quantising kernels; launches from eager all-reduces."""
    reduces = tables.operator("custom_allreduce")
    eager = reduces[(reduces["backend"] == EAGER) & (reduces["num_gpus"] == 2)]
    launch_us = eager.groupby("gpu")["s"].min() * 1e6
    table = tables.operator("scale_matrix")
    for name, rows in table.groupby("gpu"):
        yield _kernels(gpu(str(name)), rows, float(launch_us[name]))


def _reduce(spec: GpuSpec, gpus: int, rows: pd.DataFrame) -> ReduceCurve:
    size, seconds = ELEMENT * rows["message_size"].to_numpy(float), rows["s"].to_numpy(float)

    def model(x: np.ndarray) -> np.ndarray:
        return np.asarray((x[0] + x[1] * size / 1e6) * 1e-6)

    found = least(model, seconds, (6.0, 10.0), (0.0, 0.1), (100.0, 5000.0))
    return ReduceCurve(
        **origin(spec), cells=found.cells, error=found.error,
        gpus=gpus, link=spec.link, start_us=found.x[0], us_per_mb=found.x[1],
    )  # fmt: skip


def _kernels(spec: GpuSpec, rows: pd.DataFrame, launch_us: float) -> KernelCurve:
    usual = rows[rows["k"].between(1024, 16384) & (rows["m"] <= 8192)]
    moved = READ_AND_WRITTEN * usual["m"].to_numpy(float) * usual["k"].to_numpy(float)
    seconds, bandwidth = usual["s"].to_numpy(float), spec.bandwidth_gb_per_s * 1e9

    def model(x: np.ndarray) -> np.ndarray:
        return np.asarray(x[0] * 1e-6 + moved / (bandwidth * x[1]))

    found = least(model, seconds, (2.0, 0.9), (0.0, 0.1), (20.0, 4.0))
    return KernelCurve(
        **origin(spec), cells=found.cells, error=found.error,
        start_us=found.x[0], bandwidth_share=min(1.0, found.x[1]), launch_us=launch_us,
    )  # fmt: skip
