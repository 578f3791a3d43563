"""`inferencex_e2e`: served runs of 2025-26 on large GPUs, as typed rows and the replicas they mean."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from perf_setups import Setup, gpu, model
from perf_tables import DATA

from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine

FILE = DATA / "inferencex_e2e" / "inferencex_e2e.csv.gz"
SWEEP = "nvidia-internal-sweep"
DENSE = ("llama-3.1-8b", "llama-3.1-70b", "qwen3-32b")
MIXED = ("gpt-oss-120b", "qwen3-235b-a22b", "deepseek-r1")
MODELS = {
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "llama-3.1-8b",
    "Qwen/Qwen3-32B": "qwen3-32b",
    "nvidia/Qwen3-32B-NVFP4": "qwen3-32b",
    "Qwen/Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "openai/gpt-oss-120b": "gpt-oss-120b",
    # One shape under three names.
    "deepseek-ai/DeepSeek-R1": "deepseek-r1",
    "deepseek-ai/DeepSeek-V3": "deepseek-r1",
    "nvidia/DeepSeek-R1-NVFP4": "deepseek-r1",
    "nvidia/DeepSeek-V3.1-NVFP4": "deepseek-r1",
}
GPUS = {"h100_sxm": "H100-80GB", "h200_sxm": "H200", "b200_sxm": "B200", "b300_sxm": "B300"}
PRECISIONS = {"fp8": Precision.FP8, "fp4": Precision.NVFP4, "bf16": Precision.BF16, "int4": Precision.INT4}
BLACKWELL = 10.0
STEP_TOKENS = 8192
"""`max-num-batched-tokens` in InferenceX's scripts."""
SWEEP_SEQS, SWEEP_ROOM = 512, 1500
"""NVIDIA's sweeps start engines as aiconfigurator writes them: its `generator/rule_plugin/vllm.rule` gives a
step room for a prompt, the sequences (512) and 1500 tokens more."""
NO_OVERLAP = "0.12.0"  # of vLLM: the host prepares a step while one runs from 0.14 on


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured run. `plain` layouts split everything over `tp` and nothing otherwise."""

    id: str
    backend: str
    version: str
    family: str
    system: str
    precision: Precision
    isl: int
    osl: int
    concurrency: int
    tp: int
    pp: int
    plain: bool
    sweep: bool
    ttft_s: float
    tpot_s: float


def read(file: Path = FILE) -> tuple[Row, ...]:
    """Every aggregated run with a concurrency; without one it is the batch size."""
    table = pd.read_csv(file)
    table = table[table["mode"] == "agg"]
    table = table.assign(concurrency=table["concurrency"].fillna(table["batch_size"]))
    table = table[table["concurrency"].notna()]
    return tuple(_row(values) for values in table.itertuples())


def _row(values: Any) -> Row:
    experts = _or(values.moe_tp_size, values.tp_size) * _or(values.moe_ep_size, 1)
    mixed = MODELS.get(values.model_path) in MIXED
    plain = _or(values.attention_dp_size, 1) == 1 and (not mixed or experts == values.tp_size)
    return Row(
        id=values.id,
        backend=values.backend,
        version=str(values.backend_version),
        family=values.model_path,
        system=values.system,
        precision=PRECISIONS[values.precision] if isinstance(values.precision, str) else Precision.BF16,
        isl=int(values.isl),
        osl=int(values.osl),
        concurrency=int(values.concurrency),
        tp=int(values.tp_size),
        pp=int(_or(values.pp_size, 1)),
        plain=plain,
        sweep=values.source.startswith(SWEEP),
        ttft_s=values.ttft_ms * 1e-3,
        tpot_s=values.tpot_ms * 1e-3,
    )


def _or(value: float, other: float) -> float:
    return other if pd.isna(value) else value


def model_name(row: Row) -> str:
    """The catalog's name; "" for families that it lacks."""
    return MODELS.get(row.family, "")


def unsupported(row: Row) -> str:
    """Why we say nothing about a row; "" when we do."""
    if not model_name(row):
        return f"model {row.family}"
    if row.system not in GPUS:
        return f"GPU {row.system}"
    if not row.plain:
        return "attention split over requests, experts over GPUs of their own"
    if row.tp > gpu(GPUS[row.system]).max_fast_group:
        return f"tp {row.tp} beyond one node"
    return ""


def setup(row: Row, step_tokens: int | None = None) -> Setup:
    """The replica that served a supported row; `step_tokens` in place of its step budget."""
    spec = gpu(GPUS[row.system])
    return Setup(
        model=model(model_name(row)),
        gpu=spec,
        precision=Precision.MXFP4 if model_name(row) == "gpt-oss-120b" else row.precision,
        tp=row.tp,
        pp=row.pp,
        engine=Engine.SGLANG if row.backend == "sglang" else Engine.VLLM,
        flags=EngineFlags(
            max_model_len=row.isl + row.osl,
            max_num_seqs=row.concurrency,
            max_num_batched_tokens=step_tokens or _budget(row),
            kv_cache_dtype=_kv(row, spec.compute_capability or 0.0),
            async_scheduling=not (row.backend == "vllm" and row.version == NO_OVERLAP),
        ),
    )


def _budget(row: Row) -> int:
    return row.isl + SWEEP_SEQS + SWEEP_ROOM if row.sweep else STEP_TOKENS


def _kv(row: Row, capability: float) -> KvPrecision:
    """NVIDIA's quantised checkpoints carry KV scales; others' KV stays 16-bit but for fp4 on Blackwell."""
    from_nvidia = row.family.startswith(("nvidia/", "meta-llama/Llama-3.1-70B")) or row.backend == "trtllm"
    quantised = row.precision is not Precision.BF16
    fp4 = row.precision is Precision.NVFP4 and capability >= BLACKWELL
    return KvPrecision.FP8 if quantised and (from_nvidia or fp4) else KvPrecision.AUTO
