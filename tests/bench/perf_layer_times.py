"""Whole transformer layers: Helix's of 2024 under vLLM, and LLMServingSim's kernel by kernel."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from perf_points import Kind, Point
from perf_setups import LLAMA_1_30B, Setup, gpu, model
from perf_tables import DATA

from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.curveset import Curves, shipped_curves
from bouted.perf.flags import EngineFlags
from bouted.perf.steptime import Part, step_parts

HELIX = DATA / "helix_layer_profiles" / "layer_times.csv"
SIMULATED = DATA / "llmservingsim_layer_profiles" / "layers_v0.parquet"
NODES = {
    "a100": ("A100-40GB", 1), "v100": ("V100-16GB", 1), "l4": ("L4", 1), "l4x2": ("L4", 2),
    "t4": ("T4", 1), "t4x2": ("T4", 2), "t4x4": ("T4", 4),
}  # fmt: skip
HELIX_MODELS = {"llama1_30b": LLAMA_1_30B.name, "llama2_70b": "llama-2-70b"}
PROMPT, DECODE = "prompt", "decode"
PROMPT_TOKENS = 750
"""Helix's average prompt; its profiles give tokens of a batch of prompts only."""
DECODE_CONTEXT = 1000
"""Tokens of context per decoding sequence that Helix profiled with."""
SMALL_BATCH = 10
TWINS = ("A100-40GB", "A100-80GB", "A100-80GB-PCIE"), ("V100-16GB", "V100-32GB")
OUTSIDE = ("embedding", "final_layernorm", "lm_head")
OTHERS = ("engine", "output head")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One timed layer; `tokens` of prompts, or sequences that decode."""

    model: str
    gpu: str
    tp: int
    phase: str
    tokens: int
    seconds: float


def helix(file: Path = HELIX) -> tuple[Layer, ...]:
    """Prompts, and decoding of small batches. Prompts are in whole milliseconds, of which 0 tells nothing."""
    table = pd.read_csv(file)
    table = table[(table["tokens_or_batch"] > 0) & (table["time_ms_per_layer"] > 0)]
    table = table[(table["phase"] == PROMPT) | (table["tokens_or_batch"] <= SMALL_BATCH)]
    return tuple(_helix(values) for values in table.itertuples())


def _helix(values: Any) -> Layer:
    name, tp = NODES[values.node]
    return Layer(
        model=HELIX_MODELS[values.model],
        gpu=name,
        tp=tp,
        phase=str(values.phase),
        tokens=int(values.tokens_or_batch),
        seconds=float(values.time_ms_per_layer) * 1e-3,
    )


def simulated(file: Path = SIMULATED) -> tuple[Layer, ...]:
    """Llama-3.1-8B on A6000 and 3090: the kernels of one layer added up, one prompt without cache."""
    table = pd.read_parquet(file)
    table = table[table["gpu"].isin(["A6000", "RTX3090"]) & (table["model"] == "meta-llama/Llama-3.1-8B")]
    table = table[~table["layer_name"].isin(OUTSIDE)]
    sums = table.groupby(["gpu", "tp_size", "input"], as_index=False)["latency(ns)"].sum()
    return tuple(
        Layer(model="llama-3.1-8b", gpu=name, tp=int(tp), phase=PROMPT, tokens=int(tokens), seconds=ns * 1e-9)
        for name, tp, tokens, ns in sums.itertuples(index=False)
    )


def point(layer: Layer, curves: Curves, *, prompt_tokens: int, reduces: bool = True) -> Point:
    """Our time of this layer. Prompts are `prompt_tokens` long at most; `reduces` counts all-reduces."""
    ran = Setup(
        model=model(layer.model), gpu=gpu(layer.gpu), precision=Precision.BF16, tp=layer.tp,
        flags=EngineFlags(max_model_len=2048),
    )  # fmt: skip
    decodes = layer.tokens if layer.phase == DECODE else 0
    prompts = layer.tokens - decodes
    parts = step_parts(
        ran.layout(curves),
        prefill_tokens=prompts,
        decode_seqs=decodes,
        context_tokens=decodes * DECODE_CONTEXT,
        pairs=prompts * min(prompts, prompt_tokens) / 2,
    )
    left_out = OTHERS if reduces else (*OTHERS, "all-reduce")
    inside = tuple(
        replace(part, seconds=part.seconds / ran.model.layers) for part in parts if part.name not in left_out
    )
    return Point(
        name=f"{layer.model} on {layer.tp} {layer.gpu}, {layer.phase} of {layer.tokens}",
        measured=layer.seconds,
        estimated=sum(part.seconds for part in inside),
        kinds=_kinds(layer),
        parts=_needed(inside),
    )


def helix_points(layers: tuple[Layer, ...], *, leave_out: bool) -> tuple[Point, ...]:
    """With the curves as they ship, or without those of the GPU in question."""
    return tuple(
        point(layer, without(layer.gpu) if leave_out else shipped_curves(), prompt_tokens=PROMPT_TOKENS)
        for layer in layers
    )


def simulated_points(layers: tuple[Layer, ...]) -> Iterator[Point]:
    """Against the curves as they ship, which know neither GPU; each kernel ran alone, so no all-reduce."""
    for layer in layers:
        yield point(layer, shipped_curves(), prompt_tokens=layer.tokens, reduces=False)


def without(name: str) -> Curves:
    """The shipped curves had nobody measured this GPU, or the same chip with other memory."""
    twins = next((some for some in TWINS if name in some), (name,))
    return shipped_curves().without(*twins)


def without_generation(name: str) -> Curves:
    """The shipped curves had nobody measured any GPU of this compute capability's first digit."""
    first = int(gpu(name).compute_capability or 0)
    return shipped_curves().without(
        *(spec.name for spec in load_catalog().gpus if int(spec.compute_capability or 0) == first)
    )


def _needed(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part.seconds > 0)


def _kinds(layer: Layer) -> tuple[Kind, ...]:
    size = 1 << (layer.tokens.bit_length() - 1)
    values = {
        "GPU": f"{layer.gpu} x {layer.tp}",
        "model": layer.model,
        "phase": layer.phase,
        "tokens from": size,
    }
    return tuple(Kind(by=by, value=str(value)) for by, value in values.items())
