"""Layouts that others really ran are accepted: the gate is no stricter than the engines."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.defaults import default_flags
from bouted.perf.memory import fits
from bouted.perf.shapes import Engine, Fit, ReplicaShape

DATA = Path(__file__).parents[3] / "shared" / "data"
CATALOG = load_catalog()
MODELS = {
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "llama-3.1-8b",
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "Qwen/Qwen3-32B": "qwen3-32b",
    "nvidia/Qwen3-32B-NVFP4": "qwen3-32b",
    "Qwen/Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "deepseek-ai/DeepSeek-R1": "deepseek-r1",
    "nvidia/DeepSeek-R1-NVFP4": "deepseek-r1",
    "deepseek-ai/DeepSeek-V3": "deepseek-v3",
    "nvidia/DeepSeek-V3.1-NVFP4": "deepseek-v3",
    "openai/gpt-oss-120b": "gpt-oss-120b",
    "meta-llama/Llama-2-7b-hf": "llama-2-7b",
    "meta-llama/Llama-2-70b-hf": "llama-2-70b",
    "meta-llama/Meta-Llama-3-8B": "llama-3-8b",
    "meta-llama/Meta-Llama-3-70B": "llama-3-70b",
    "Qwen/Qwen2-7B": "qwen2-7b",
    "Qwen/Qwen2-72B": "qwen2-72b",
    "mistralai/Mistral-7B-v0.1": "mistral-7b-v0.1",
    "mistralai/Mixtral-8x7B-v0.1": "mixtral-8x7b",
}
GPUS = {
    "h100_sxm": "H100-80GB",
    "h200_sxm": "H200",
    "b200_sxm": "B200",
    "b300_sxm": "B300",
    "Nvidia A100 GPU": "A100-40GB",
    "Nvidia H100 GPU": "H100-80GB",
    "AMD MI300X GPU": "MI300X",
}
TIGHT = {"deepseek-r1 B200 tp4 fp8", "deepseek-v3 B200 tp4 fp8"}
"""158 GiB of weights in 179: those who ran it gave the engine more than it takes by default."""
PRECISIONS = {"fp8": Precision.FP8, "fp4": Precision.NVFP4, "bf16": Precision.BF16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A layout that somebody ran, and its longest request."""

    shape: ReplicaShape
    context_tokens: int


def needs(path: str) -> Path:
    file = DATA / path
    if not file.exists():
        pytest.skip(f"needs the measured data {path}")
    return file


def inferencex() -> set[Ran]:
    """Aggregated rows of models and GPUs we know, without expert or attention data parallelism."""
    rows = pd.read_csv(needs("inferencex_e2e/inferencex_e2e.csv.gz"), low_memory=False)
    rows = rows[(rows["mode"] == "agg") & rows["model_path"].isin(MODELS) & rows["system"].isin(GPUS)]
    one = rows["attention_dp_size"].fillna(1).le(1) & rows["moe_ep_size"].le(1) & rows["tp_size"].le(8)
    dense = ~rows["model_path"].str.contains("DeepSeek|235B|gpt-oss")
    return {
        ran(row) for row in rows[one & (dense | rows["moe_tp_size"].eq(rows["tp_size"]))].to_dict("records")
    }


def ran(row: dict[Any, Any]) -> Ran:
    model = MODELS[row["model_path"]]
    precision = PRECISIONS.get(row["precision"], Precision.BF16)
    if model.startswith("gpt-oss"):
        precision = Precision.MXFP4
    shape = ReplicaShape(
        model=model,
        gpu=GPUS[row["system"]],
        tp=int(row["tp_size"]),
        pp=int(row["pp_size"]),
        precision=precision,
        engine=Engine.SGLANG if row["backend"] == "sglang" else Engine.VLLM,
    )
    return Ran(shape=shape, context_tokens=int(row["isl"] + row["osl"]))


def inference_bench() -> set[Ran]:
    """vLLM rows of models and GPUs we know; these ran 16-bit, one GPU for each rank."""
    rows = pd.read_csv(needs("llm_inference_bench/throughput.csv.gz"))
    rows = rows[rows["framework"].str.contains("vllm", case=False)]
    rows = rows[rows["model"].isin(MODELS) & rows["hardware"].isin(GPUS)]
    found = set()
    for row in rows.to_dict("records"):
        shape = ReplicaShape(
            model=MODELS[row["model"]],
            gpu=GPUS[row["hardware"]],
            tp=int(row["num_gpus"]),
            pp=1,
            precision=Precision.BF16,
            engine=Engine.VLLM,
        )
        found.add(Ran(shape=shape, context_tokens=2 * int(row["in_out_len"])))
    return found


def refused(layouts: set[Ran], share: float | None = None) -> dict[str, str]:
    """Reasons by layout, with the engine's own flags; with `share` of each GPU where that is given."""
    reasons: dict[str, str] = {}
    for each in layouts:
        model, gpu, shape = CATALOG.model(each.shape.model), CATALOG.gpu(each.shape.gpu), each.shape
        flags = default_flags(shape.engine, gpu, each.context_tokens, tp=shape.tp)
        if share is not None:
            flags = replace(flags, gpu_memory_utilization=share)
        found = fits(model, gpu, shape, context_tokens=each.context_tokens, min_kv_tokens=0, flags=flags)
        if not isinstance(found, Fit):
            reasons[f"{shape.model} {shape.gpu} tp{shape.tp} {shape.precision}"] = found.reason
    return reasons


def test_every_layout_of_inferencex_is_accepted() -> None:
    layouts = inferencex()
    assert len(layouts) > 100
    assert set(refused(layouts)) <= TIGHT


def test_those_refused_with_default_flags_are_accepted_with_a_larger_share() -> None:
    assert refused(inferencex(), share=0.95) == {}


def test_every_layout_of_llm_inference_bench_is_accepted() -> None:
    layouts = inference_bench()
    assert len(layouts) > 50
    assert refused(layouts) == {}
