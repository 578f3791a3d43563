"""GPUs that only layer profiles know: T4, V100 and L4 from Helix, A40 from Vidur.

Helix timed whole layers, so two shares are all that can be told: of bandwidth from small decode batches, of
arithmetic from prompts. What two and four cards of one node take longer than their share is all-reduce.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from perf_least import least
from perf_tables import Tables, gpu, origin

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.precision import Precision
from bouted.perf.curves import DecodeCurve, GemmCurve, PrefillCurve, ReduceCurve

HELIX = "Helix layer profiles (vLLM)"
VIDUR = "Vidur operator profiles"
NODES = {"t4": "T4", "v100": "V100-16GB", "l4": "L4"}
PAIRS = {("t4x2", 2): "T4", ("t4x4", 4): "T4", ("l4x2", 2): "L4"}
WEIGHTS = {
    "llama1_30b": 4 * 6656**2 + 3 * 6656 * 17920,
    "llama2_70b": 2 * 8192**2 + 2 * 8192 * 1024 + 3 * 8192 * 28672,
}
HIDDEN = {"llama1_30b": 6656, "llama2_70b": 8192}
SMALL_BATCH = 10
SHARPNESS = 3.0
START_US = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCurves:
    """What layer profiles add."""

    gemm: tuple[GemmCurve, ...] = ()
    decode: tuple[DecodeCurve, ...] = ()
    prefill: tuple[PrefillCurve, ...] = ()
    reduce: tuple[ReduceCurve, ...] = ()


def layer_curves(tables: Tables) -> LayerCurves:
    """Curves from Helix and Vidur; none where their files are absent."""
    helix = tables.data / "helix_layer_profiles" / "layer_times.csv"
    vidur = tables.data / "vidur_profiles" / "mlp.parquet"
    if not helix.exists() or not vidur.exists():
        return LayerCurves()
    rows = _helix(pd.read_csv(helix))
    whole = tuple(_whole(gpu(name), rows[rows["node"] == node]) for node, name in NODES.items())
    # The two sizes of V100 are one chip.
    twin = replace(whole[1], gpu="V100-32GB")
    linked = tuple(
        _linked(gpu(name), count, rows[rows["node"] == node], rows[rows["node"] == node.split("x")[0]])
        for (node, count), name in PAIRS.items()
    )
    return LayerCurves(gemm=(*whole, twin, _a40(pd.read_parquet(vidur))), reduce=linked)


def _helix(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[(rows["tokens_or_batch"] > 0) & (rows["time_ms_per_layer"] > 0)]
    small = (rows["phase"] == "prompt") | (rows["tokens_or_batch"] <= SMALL_BATCH)
    rows = rows[small]
    return rows.assign(
        weights=rows["model"].map(WEIGHTS),
        hidden=rows["model"].map(HIDDEN),
        s=rows["time_ms_per_layer"] * 1e-3,
    )


def _whole(spec: GpuSpec, rows: pd.DataFrame) -> GemmCurve:
    tokens, weights, seconds = (rows[name].to_numpy(float) for name in ("tokens_or_batch", "weights", "s"))
    bandwidth, flops = spec.bandwidth_gb_per_s * 1e9, spec.bf16_tflops * 1e12

    def model(x: np.ndarray) -> np.ndarray:
        memory, arithmetic = 2 * weights / (bandwidth * x[0]), 2 * weights * tokens / (flops * x[1])
        return np.asarray(
            4 * START_US * 1e-6 + (memory**SHARPNESS + arithmetic**SHARPNESS) ** (1 / SHARPNESS)
        )

    decode = (rows["phase"] == "decode").to_numpy()
    balance = np.where(decode, np.sqrt(max(1, (~decode).sum()) / max(1, decode.sum())), 1.0)
    found = least(model, seconds, (0.7, 0.6), (0.2, 0.1), (1.1, 1.1), balance)
    return GemmCurve(
        **origin(spec, HELIX), cells=found.cells, error=found.error, precision=Precision.BF16,
        start_us=START_US, bandwidth_share=found.x[0], flops_share=found.x[1], sharpness=SHARPNESS,
        m_half=0.0, n_half=0.0, k_half=0.0,
    )  # fmt: skip


def _linked(spec: GpuSpec, count: int, several: pd.DataFrame, one: pd.DataFrame) -> ReduceCurve:
    """What is left when each card does its share of one card's time."""
    key = ["model", "phase", "tokens_or_batch"]
    both = several.merge(one, on=key, suffixes=("", "_one"))
    both = both[both["phase"] == "prompt"]
    size = 2 * both["hidden"].to_numpy(float) * both["tokens_or_batch"].to_numpy(float)
    alone, seconds = both["s_one"].to_numpy(float) / count, both["s"].to_numpy(float)

    def model(x: np.ndarray) -> np.ndarray:
        return np.asarray(alone + 2 * (x[0] + x[1] * size / 1e6) * 1e-6)

    found = least(model, seconds, (30.0, 200.0), (5.0, 1.0), (200.0, 5000.0))
    return ReduceCurve(
        **origin(spec, HELIX), cells=found.cells, error=found.error, gpus=count, link=spec.link,
        start_us=found.x[0], us_per_mb=found.x[1],
    )  # fmt: skip


def _a40(table: pd.DataFrame) -> GemmCurve:
    spec = gpu("A40")
    rows = table[table["gpu"] == "a40"]
    tp, hidden, wide = (
        rows[name].to_numpy(float) for name in ("num_tensor_parallel_workers", "n_embd", "n_expanded_embd")
    )
    m = np.concatenate([rows["num_tokens"].to_numpy(float)] * 2)
    n = np.concatenate([2 * wide / tp, hidden])
    k = np.concatenate([hidden, wide / tp])
    seconds = np.concatenate([rows["mlp_up_proj_ms"], rows["mlp_down_proj_ms"]]).astype(float) * 1e-3
    bandwidth, flops = spec.bandwidth_gb_per_s * 1e9, spec.bf16_tflops * 1e12
    kept = (seconds > 0) & (n * k > 4e6)
    m, n, k, seconds = m[kept], n[kept], k[kept], seconds[kept]

    def model(x: np.ndarray) -> np.ndarray:
        memory = 2 * (n * k + m * k + m * n) / (bandwidth * x[0])
        arithmetic = 2 * m * n * k / (flops * x[1]) * (1 + x[3] / m)
        return np.asarray(START_US * 1e-6 + (memory ** x[2] + arithmetic ** x[2]) ** (1 / x[2]))

    found = least(model, seconds, (0.8, 0.7, 3.0, 20.0), (0.3, 0.1, 1.0, 0.0), (1.1, 1.1, 12.0, 250.0))
    return GemmCurve(
        **origin(spec, VIDUR), cells=found.cells, error=found.error, precision=Precision.BF16,
        start_us=START_US, bandwidth_share=found.x[0], flops_share=found.x[1], sharpness=found.x[2],
        m_half=found.x[3], n_half=0.0, k_half=0.0,
    )  # fmt: skip
