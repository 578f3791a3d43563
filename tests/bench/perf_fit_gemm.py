"""Dense layers: one roofline per GPU and arithmetic, fitted on sizes that models have."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from perf_least import least
from perf_tables import Tables, gpu, origin

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.precision import Precision
from bouted.perf.curves import GemmCurve

KINDS = {"bfloat16": Precision.BF16, "fp8": Precision.FP8, "nvfp4": Precision.NVFP4}
LEAST_SIDE = 512
MOST_TOKENS = 16384
START = (5.0, 0.8, 0.7, 4.0, 20.0, 100.0, 100.0)
LOW = (0.0, 0.3, 0.1, 1.0, 0.0, 0.0, 0.0)
HIGH = (20.0, 1.1, 1.1, 12.0, 250.0, 4000.0, 4000.0)


def gemm_curves(tables: Tables) -> Iterator[GemmCurve]:
    """A curve for each GPU and arithmetic in the table."""
    table = tables.operator("gemm")
    for (name, kind), rows in table.groupby(["gpu", "gemm_dtype"]):
        if kind in KINDS:
            yield _curve(gpu(str(name)), KINDS[str(kind)], rows)


def _curve(spec: GpuSpec, precision: Precision, rows: pd.DataFrame) -> GemmCurve:
    """The faster kernel of each size counts, as an engine would choose; small layers weigh less."""
    usual = rows[(rows["n"] >= LEAST_SIDE) & (rows["k"] >= LEAST_SIDE) & (rows["m"] <= MOST_TOKENS)]
    best = usual.groupby(["m", "n", "k"], as_index=False)["s"].min()
    m, n, k, seconds = (best[name].to_numpy(float) for name in ("m", "n", "k", "s"))
    width = precision.element_bytes
    moved = width * n * k + width * m * k + 2 * m * n
    bandwidth = spec.bandwidth_gb_per_s * 1e9
    peaks = {Precision.FP8: spec.fp8_tflops, Precision.NVFP4: spec.fp4_tflops}
    flops = (peaks.get(precision) or spec.bf16_tflops) * 1e12

    def model(x: np.ndarray) -> np.ndarray:
        start_us, bandwidth_share, flops_share, p, m_half, n_half, k_half = x
        small = (1 + m_half / m) * (1 + n_half / n + k_half / k)
        memory, arithmetic = (
            moved / (bandwidth * bandwidth_share),
            2 * m * n * k / (flops * flops_share) * small,
        )
        return np.asarray(start_us * 1e-6 + (memory**p + arithmetic**p) ** (1 / p))

    weights = np.sqrt(np.clip(n * k / 16e6, 0.1, 4))
    found = least(model, seconds, START, LOW, HIGH, weights)
    start_us, bandwidth_share, flops_share, p, m_half, n_half, k_half = found.x
    return GemmCurve(
        **origin(spec), cells=found.cells, error=found.error,
        precision=precision, start_us=start_us, bandwidth_share=bandwidth_share, flops_share=flops_share,
        sharpness=p, m_half=m_half, n_half=n_half, k_half=k_half,
    )  # fmt: skip
