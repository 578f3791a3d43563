"""Whether a layout starts: weights, KV cache and engine reserve against the memory of its GPUs.

The arithmetic follows vLLM: it may use 90 % of each GPU, and what the weights and the engine leave of
that is KV cache. The constants are from vLLM's start-up logs, rounded up; a GPU more or less is decided
by the weights, not by them.
"""

from dataclasses import dataclass

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.shapes import Fit, Refusal, ReplicaShape

GIB = 2.0**30
MEMORY_UTILISATION = 0.9
"""Share of a GPU that the engine may use (vLLM's default)."""
FRAMEWORK_GIB = 0.6
"""CUDA context, libraries and allocator slack, per GPU."""
GRAPHS_GIB = 0.7
"""Captured CUDA graphs up to the largest batch, per GPU."""
COLLECTIVES_GIB = 0.4
"""NCCL and custom all-reduce buffers, per GPU of a group of two or more."""
STEP_TOKENS = 2048
"""Most tokens of one step; activations are sized for it."""
BATCH_SEQS = 256
"""Most sequences of one step; logits are sized for it."""


@dataclass(frozen=True, slots=True)
class _Need:
    """GiB per GPU of one layout, and KV bytes that one token takes on each GPU."""

    weights_gib: float
    reserve_gib: float
    kv_bytes: int


def fits(
    model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape, *, context_tokens: int, min_kv_tokens: int
) -> Fit | Refusal:
    """The memory layout of `shape`, or the one-line reason why it would not start.

    `context_tokens` is the longest request, prompt and output; the KV cache must hold one such request
    and at least `min_kv_tokens`.
    """
    broken = _broken_rule(model, gpu, shape, context_tokens)
    if broken:
        return Refusal(reason=broken)
    need = _need(model, shape)
    usable_gib = MEMORY_UTILISATION * gpu.memory_gib - need.reserve_gib
    kv_gib = usable_gib - need.weights_gib
    kv_tokens = int(kv_gib * GIB / need.kv_bytes)
    wanted = max(context_tokens, min_kv_tokens)
    if kv_tokens < wanted:
        return Refusal(reason=_arithmetic(gpu, shape, need, usable_gib, wanted))
    return Fit(
        weights_gib=need.weights_gib,
        reserve_gib=need.reserve_gib,
        kv_gib=kv_gib,
        kv_capacity_tokens=kv_tokens,
    )


def weight_bytes(model: ModelSpec, precision: Precision) -> float:
    """Bytes of all weights; in fp8 the embeddings and the output head stay 16-bit."""
    params = model.params_b * 1e9
    if precision is Precision.BF16:
        return 2 * params
    return params + 2 * model.vocab * model.hidden


def kv_bytes_per_gpu(model: ModelSpec, shape: ReplicaShape) -> int:
    """Bytes of 16-bit KV cache that one token takes on each GPU; with tp above the KV heads they repeat."""
    kv_heads = max(1, model.kv_heads // shape.tp)
    return 4 * (model.layers // shape.pp) * kv_heads * model.head_dim


def least_memory_gib(model: ModelSpec, precision: Precision, *, context_tokens: int = 0) -> float:
    """GPU memory, in GiB, below which no single GPU or group holds the model and one longest request."""
    kv = context_tokens * model.kv_bytes_per_token()
    held = (weight_bytes(model, precision) + kv) / GIB + _reserve_gib(model, tp=1, pp=1)
    return held / MEMORY_UTILISATION


def _broken_rule(model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape, context_tokens: int) -> str:
    """The first rule that the layout breaks whatever its memory, or ""."""
    tp, pp = shape.tp, shape.pp
    if shape.precision is Precision.FP8 and gpu.fp8_tflops is None:
        return f"{gpu.name} has no fp8 arithmetic"
    if tp > gpu.max_fast_group:
        return f"tp {tp} is more than the {gpu.max_fast_group} GPUs that {gpu.name} links fast"
    if model.heads % tp:
        return f"{model.heads} attention heads do not divide by tp {tp}"
    if model.kv_heads % tp and tp % model.kv_heads:
        return f"{model.kv_heads} KV heads neither divide by tp {tp} nor repeat evenly over it"
    if model.layers % pp:
        return f"{model.layers} layers do not divide by pp {pp}"
    if context_tokens > model.max_context:
        return f"{context_tokens} tokens of context is more than the {model.max_context} of {model.name}"
    return ""


def _need(model: ModelSpec, shape: ReplicaShape) -> _Need:
    return _Need(
        weights_gib=weight_bytes(model, shape.precision) / shape.gpu_count / GIB,
        reserve_gib=_reserve_gib(model, shape.tp, shape.pp),
        kv_bytes=kv_bytes_per_gpu(model, shape),
    )


def _reserve_gib(model: ModelSpec, tp: int, pp: int) -> float:
    """What the engine takes on each GPU beside weights and KV: fixed parts, activations, logits."""
    activations = STEP_TOKENS * 2 * (4 * model.hidden + 3 * model.intermediate / tp)
    logits = BATCH_SEQS * 4 * model.vocab
    collectives = COLLECTIVES_GIB if tp * pp > 1 else 0.0
    return FRAMEWORK_GIB + GRAPHS_GIB + collectives + (activations + logits) / GIB


def _arithmetic(gpu: GpuSpec, shape: ReplicaShape, need: _Need, usable_gib: float, kv_tokens: int) -> str:
    weights = need.weights_gib * shape.gpu_count
    kv = kv_tokens * need.kv_bytes * shape.gpu_count / GIB
    return (
        f"needs {weights:.1f} GiB for weights + {kv:.1f} GiB KV on {shape.gpu_count} x {usable_gib:.1f} GiB"
        f" usable ({MEMORY_UTILISATION:.0%} of {gpu.memory_gib:.1f}"
        f" less {need.reserve_gib:.1f} for the engine)"
    )
