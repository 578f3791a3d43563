"""What a layout must keep whatever its memory: arithmetic, links, and what must divide.

Compute capabilities are those of vLLM's and SGLang's quantisation methods (`get_min_capability`): below 8.9
fp8 and below 10.0 the four-bit floats are stored so and computed in 16 bits.
"""

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine, Refusal, ReplicaShape, Rule

LEAST_CAPABILITY = {
    Precision.BF16: 7.0,  # as fp16 below 8.0
    Precision.FP8: 8.0,
    Precision.NVFP4: 8.0,
    Precision.MXFP4: 8.0,
    Precision.INT4: 7.5,
}
SGLANG_CAPABILITY = 7.5
SGLANG_NVFP4_CAPABILITY = 10.0
BF16_CAPABILITY = 8.0
"""From here on a GPU computes in bf16, and engines have kernels for attention sinks."""
BLOCK = 128
"""Weights in a row that share a scale: fp8 experts are published in blocks of 128 x 128, int4 in 128s."""
MOST_STAGES = 4


def broken_rule(
    model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape, flags: EngineFlags, context_tokens: int
) -> Refusal | None:
    """The first rule that the layout breaks; None if it breaks none."""
    checks = (
        (Rule.PRECISION, _precision(model, gpu, shape)),
        (Rule.LINK, _link(gpu, shape)),
        (Rule.STAGES, _stages(model, shape)),
        (Rule.HEADS, _heads(model, shape)),
        (Rule.WIDTH, _width(model, shape)),
        (Rule.CONTEXT, _context(model, flags, context_tokens)),
    )
    return next((Refusal(rule=rule, reason=reason) for rule, reason in checks if reason), None)


def _precision(model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape) -> str:
    precision, capability = shape.precision, gpu.compute_capability
    if precision is Precision.MXFP4 and model.experts is None:
        return f"mxfp4 is for experts, and {model.name} has none"
    if capability is None:
        lacks = precision is Precision.NVFP4 or (precision is Precision.FP8 and gpu.fp8_tflops is None)
        return f"{gpu.name} has no {precision} arithmetic" if lacks else ""
    for least, what in _needs(model, shape):
        if capability < least:
            return f"{what} needs compute capability {least}, and {gpu.name} has {capability}"
    return ""


def _needs(model: ModelSpec, shape: ReplicaShape) -> list[tuple[float, str]]:
    """Least compute capabilities, and what for."""
    needs = [(LEAST_CAPABILITY[shape.precision], str(shape.precision))]
    if shape.engine is Engine.SGLANG:
        needs.append((SGLANG_CAPABILITY, "sglang"))
        if shape.precision is Precision.NVFP4:
            needs.append((SGLANG_NVFP4_CAPABILITY, "nvfp4 in sglang"))
    if model.needs_bf16:
        needs.append((BF16_CAPABILITY, f"{model.name} is unstable in fp16, and bf16"))
    if model.sinks:
        needs.append((BF16_CAPABILITY, f"attention with sinks ({model.name})"))
    return needs


def _link(gpu: GpuSpec, shape: ReplicaShape) -> str:
    if shape.tp > gpu.max_fast_group:
        return f"tp {shape.tp} is more than the {gpu.max_fast_group} GPUs that {gpu.name} links fast"
    return ""


def _stages(model: ModelSpec, shape: ReplicaShape) -> str:
    most = min(MOST_STAGES, model.layers)
    return f"pp {shape.pp} is more than {most} pipeline stages" if shape.pp > most else ""


def _heads(model: ModelSpec, shape: ReplicaShape) -> str:
    tp = shape.tp
    if model.heads % tp:
        return f"{model.heads} attention heads do not divide by tp {tp}"
    if model.latent is None and model.kv_heads % tp and tp % model.kv_heads:
        return f"{model.kv_heads} KV heads neither divide by tp {tp} nor repeat evenly over it"
    return ""


def _width(model: ModelSpec, shape: ReplicaShape) -> str:
    tp, precision = shape.tp, shape.precision
    name, width = "feed-forward", model.intermediate
    if precision is Precision.INT4:
        width = model.int4_intermediate or width
    if model.experts is not None:
        name, width = "expert", model.experts.intermediate
    if width % tp:
        return f"the {name} width {width} does not divide by tp {tp}"
    blocks = precision is Precision.FP8 if model.experts is not None else precision is Precision.INT4
    if blocks and width % BLOCK == 0 and width // tp % BLOCK:
        return f"the {name} width {width} over tp {tp} is {width // tp}, no multiple of {precision}'s {BLOCK}"
    return ""


def _context(model: ModelSpec, flags: EngineFlags, context_tokens: int) -> str:
    tokens = max(context_tokens, flags.max_model_len)
    if tokens > model.max_context:
        return f"{tokens} tokens of context is more than the {model.max_context} of {model.name}"
    if context_tokens > flags.max_model_len:
        return f"{context_tokens} tokens of context is more than the max_model_len of {flags.max_model_len}"
    return ""
