"""Experts: one roofline per GPU and weight precision, over balanced and skewed routing alike."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from perf_least import least
from perf_tables import Tables, gpu, origin

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.precision import Precision
from bouted.perf.curves import ExpertCurve

KINDS = {
    "bfloat16": Precision.BF16, "fp8": Precision.FP8, "fp8_block": Precision.FP8, "nvfp4": Precision.NVFP4,
    "w4a16_mxfp4": Precision.MXFP4, "int4_wo": Precision.INT4,
}  # fmt: skip
BLOCKS = "fp8_block"  # how FP8 mixtures are published; other FP8 kernels are used for none of them
ROUTING = ("balanced", "power_law_1.01")
MOST_TOKENS = 8192
START = (20.0, 0.1, 1.0, 0.7, 0.5)
LOW = (0.0, 0.0, 0.0, 0.1, 0.02)
HIGH = (200.0, 20.0, 100.0, 1.2, 1.1)
MOST_PARALLEL = 8


def expert_curves(tables: Tables) -> Iterator[ExpertCurve]:
    """A curve for each GPU and precision in the table."""
    table = tables.operator("moe")
    if table.empty:
        return
    table = table.assign(precision=table["moe_dtype"].map(KINDS))
    usual = table["distribution"].isin(ROUTING) & (table["moe_ep_size"] == 1) & (table["topk"].between(2, 10))
    usual &= (table["num_tokens"] <= MOST_TOKENS) & (table["moe_tp_size"] <= MOST_PARALLEL)
    table = table[usual & table["precision"].notna()]
    for (name, kind), rows in table.groupby(["gpu", "precision"]):
        blocks = rows["moe_dtype"] == BLOCKS
        yield _curve(gpu(str(name)), Precision(str(kind)), rows[blocks] if blocks.any() else rows)


def _curve(spec: GpuSpec, precision: Precision, rows: pd.DataFrame) -> ExpertCurve:
    """The faster kernel of each shape counts, as an engine would choose."""
    shape = ["num_tokens", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "distribution"]
    best = rows.groupby(shape, as_index=False)["s"].min()
    tokens, hidden, wide, per_token, count, tp = (best[name].to_numpy(float) for name in shape[:-1])
    seconds = best["s"].to_numpy(float)
    visits = tokens * per_token
    seen = count * (1 - (1 - per_token / count) ** tokens)
    moved = seen * 3 * hidden * wide / tp * precision.element_bytes
    work = 6 * visits * hidden * wide / tp
    bandwidth = spec.bandwidth_gb_per_s * 1e9
    peaks = {Precision.FP8: spec.fp8_tflops, Precision.NVFP4: spec.fp4_tflops}
    flops = (peaks.get(precision) or spec.bf16_tflops) * 1e12

    def model(x: np.ndarray) -> np.ndarray:
        start_us, expert_us, visit_ns, bandwidth_share, flops_share = x
        fixed = (start_us + seen * expert_us) * 1e-6 + visits * hidden * visit_ns * 1e-12
        return np.asarray(fixed + moved / (bandwidth * bandwidth_share) + work / (flops * flops_share))

    found = least(model, seconds, START, LOW, HIGH)
    start_us, expert_us, visit_ns, bandwidth_share, flops_share = found.x
    return ExpertCurve(
        **origin(spec), cells=found.cells, error=found.error, precision=precision, start_us=start_us,
        expert_us=expert_us, visit_ns=visit_ns, bandwidth_share=bandwidth_share, flops_share=flops_share,
    )  # fmt: skip
