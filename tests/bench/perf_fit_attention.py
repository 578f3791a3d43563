"""Attention: while decoding, and over prompts; heads of 128, no window."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from perf_least import least
from perf_tables import Tables, gpu, origin

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.precision import KvPrecision
from bouted.perf.curves import DecodeCurve, PrefillCurve

KINDS = {"bfloat16": KvPrecision.AUTO, "fp8": KvPrecision.FP8}
HEAD_DIM = 128
MOST_QUERIES_PER_KEY = 16


def decode_curves(tables: Tables) -> Iterator[DecodeCurve]:
    """A curve for each GPU and KV precision: contexts of 128 to 32k, up to 512 sequences."""
    table = _usual(tables.operator("generation_attention"))
    table = table[table["step"].between(127, 32767) & (table["batch_size"] <= 512)]
    for (name, kv), rows in table.groupby(["gpu", "kv_cache_dtype"]):
        yield _decode(gpu(str(name)), KINDS[str(kv)], rows)


def prefill_curves(tables: Tables) -> Iterator[PrefillCurve]:
    """A curve for each GPU and KV precision: prompts of 256 to 16k, up to 16k tokens at a time."""
    table = _usual(tables.operator("context_attention"))
    tokens = table["batch_size"] * table["isl"]
    table = table[table["isl"].between(256, 16384) & (tokens >= 1024) & (tokens <= 16384)]
    for (name, kv), rows in table.groupby(["gpu", "kv_cache_dtype"]):
        yield _prefill(gpu(str(name)), KINDS[str(kv)], rows)


def _usual(table: pd.DataFrame) -> pd.DataFrame:
    grouped = table["num_heads"] / table["num_key_value_heads"]
    whole = table["window_size"].fillna(0) == 0
    return table[whole & (table["head_dim"] == HEAD_DIM) & (grouped <= MOST_QUERIES_PER_KEY)]


def _decode(spec: GpuSpec, kv: KvPrecision, rows: pd.DataFrame) -> DecodeCurve:
    key = ["batch_size", "num_heads", "num_key_value_heads", "step"]
    best = rows.groupby(key, as_index=False)["s"].min()
    batch, heads, kv_heads, step, seconds = (best[name].to_numpy(float) for name in (*key, "s"))
    read = 2 * batch * kv_heads * (step + 1) * HEAD_DIM * kv.element_bytes
    bandwidth = spec.bandwidth_gb_per_s * 1e9

    def model(x: np.ndarray) -> np.ndarray:
        start_us, head_ns, share = x
        return np.asarray(start_us * 1e-6 + batch * heads * head_ns * 1e-9 + read / (bandwidth * share))

    weights = np.sqrt(np.clip(read / 4e7, 0.3, 3))
    found = least(model, seconds, (6.0, 1.0, 0.7), (0.0, 0.0, 0.1), (60.0, 100.0, 1.3), weights)
    start_us, head_ns, share = found.x
    return DecodeCurve(
        **origin(spec), cells=found.cells, error=found.error,
        kv=kv, start_us=start_us, head_ns=head_ns, bandwidth_share=share,
    )  # fmt: skip


def _prefill(spec: GpuSpec, kv: KvPrecision, rows: pd.DataFrame) -> PrefillCurve:
    key = ["batch_size", "isl", "num_heads", "num_key_value_heads"]
    best = rows.groupby(key, as_index=False)["s"].min()
    batch, isl, heads, kv_heads, seconds = (best[name].to_numpy(float) for name in (*key, "s"))
    work = 4 * heads * HEAD_DIM * batch * isl * isl / 2
    moved = 2 * batch * isl * HEAD_DIM * (2 * heads + 2 * kv_heads)
    bandwidth, flops = spec.bandwidth_gb_per_s * 1e9, spec.bf16_tflops * 1e12

    def model(x: np.ndarray) -> np.ndarray:
        flops_share, bandwidth_share, start_us = x
        return np.asarray(
            start_us * 1e-6 + work / (flops * flops_share) + moved / (bandwidth * bandwidth_share)
        )

    found = least(model, seconds, (0.6, 0.4, 5.0), (0.05, 0.02, 0.0), (1.2, 1.5, 60.0))
    flops_share, bandwidth_share, _ = found.x
    return PrefillCurve(
        **origin(spec), cells=found.cells, error=found.error,
        kv=kv, flops_share=flops_share, bandwidth_share=bandwidth_share,
    )  # fmt: skip
