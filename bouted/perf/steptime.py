"""What an engine step costs on a given layout, from fitted operator curves.

A step's parts (`bouted.perf.layout`) are added up; what depends on the number of tokens becomes the curve of
`StepCosts`. vLLM mixes prompt chunks into decode steps: beyond the largest captured CUDA graph such a step
lasts at least as long as the host needs to start its operators one by one.
"""

from dataclasses import dataclass, fields

from bouted.catalog.gpus import Evidence, GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.perf.costs import StepCosts
from bouted.perf.curveset import Curves, shipped_curves
from bouted.perf.flags import EngineFlags
from bouted.perf.layout import Layout
from bouted.perf.shapes import Fit, ReplicaShape
from bouted.perf.tables import OperatorTables, TableLayout

BETWEEN_S = 0.5e-3
"""What a GPU waits between two steps however they are scheduled: inputs copied in, sampling copied out."""
HOST_S, HOST_SEQ_S = 1.1e-3, 34e-6
"""The host's work per step and per sequence: vLLM 0.32 with a model of one layer, on a server core."""
FRONT_END_S = 10e-3
"""From the request's arrival until the engine has its tokens: HTTP, chat template, tokenising."""
LARGEST_GRAPH = 512
"""Tokens up to which steps are captured as CUDA graphs (vLLM's default)."""
KNOTS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384, 512, 513, 768, 1024, 1536, 2048, 4096, 8192, 16384)

SPREAD = {
    Evidence.MEASURED: 0.15,
    Evidence.LEARNED: 0.15,
    Evidence.INTERPOLATED: 0.20,
    Evidence.ROOFLINE: 0.40,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a step, and its seconds."""

    name: str
    seconds: float


def layout_of(
    model: ModelSpec,
    gpu: GpuSpec,
    shape: ReplicaShape,
    flags: EngineFlags,
    curves: Curves | None = None,
    tables: OperatorTables | None = None,
) -> Layout:
    """The layout of `shape`, with the shipped curves unless others are given, and `tables` in their place."""
    plain = Layout(
        model=model,
        gpu=gpu,
        tp=shape.tp,
        pp=shape.pp,
        precision=shape.precision,
        kv=flags.kv_cache_dtype,
        curves=curves or shipped_curves(),
        instances=shape.instances,
    )
    if tables is None:
        return plain
    return TableLayout(**{field.name: getattr(plain, field.name) for field in fields(plain)}, tables=tables)


def step_costs(
    model: ModelSpec,
    gpu: GpuSpec,
    shape: ReplicaShape,
    fit: Fit,
    flags: EngineFlags | None = None,
    curves: Curves | None = None,
    tables: OperatorTables | None = None,
) -> StepCosts:
    """The step costs of a layout that `fits` accepted."""
    flags = flags or EngineFlags(max_model_len=model.max_context)
    layout = layout_of(model, gpu, shape, flags, curves, tables)
    return layout_costs(layout, flags, kv_capacity_tokens=fit.kv_capacity_tokens)


def layout_costs(layout: Layout, flags: EngineFlags, *, kv_capacity_tokens: int) -> StepCosts:
    """The step costs of `layout`, whatever fits on it."""
    overlap = flags.async_scheduling and layout.pp == 1
    evidence = _evidence(layout)
    head_s = (layout.head_s(256) - layout.head_s(1)) / 255
    return StepCosts(
        tokens=tuple(float(n) for n in KNOTS),
        tokens_s=tuple(_tokens_s(layout, n, flags, overlap) for n in KNOTS),
        pair_s=layout.pair_s(),
        seq_s=layout.decode_seq_s() + head_s + (0.0 if overlap else HOST_SEQ_S),
        kv_s=layout.decode_kv_s(),
        kv_capacity_tokens=kv_capacity_tokens,
        max_batch=flags.max_num_seqs,
        max_step_tokens=flags.max_num_batched_tokens,
        evidence=evidence,
        spread=SPREAD[evidence],
        stages=layout.pp,
        front_end_s=FRONT_END_S,
        prompt_s=layout.prompt_token_s(),
    )


def step_parts(
    layout: Layout, *, prefill_tokens: int, decode_seqs: int, context_tokens: int, pairs: float = 0.0
) -> tuple[Part, ...]:
    """The parts of one step, for people who ask where its time goes."""
    tokens = prefill_tokens + decode_seqs
    reads = decode_seqs * layout.decode_seq_s() + context_tokens * layout.decode_kv_s()
    prompts = prefill_tokens * layout.prompt_token_s() + pairs * layout.pair_s()
    parts = {
        "dense layers": layout.dense_s(tokens),
        "experts": layout.experts_s(tokens),
        "output head": layout.head_s(max(1, decode_seqs)),
        "decode attention": layout.decode_start_s() + reads,
        "prefill attention": prompts,
        "all-reduce": layout.reduce_s(tokens),
        "small kernels": layout.kernels_s(tokens),
        "engine": BETWEEN_S,
    }
    return tuple(Part(name=name, seconds=seconds) for name, seconds in parts.items())


def _evidence(layout: Layout) -> Evidence:
    """How well a layout is known: pipelines were measured nowhere."""
    if not layout.own or layout.pp > 1:
        return Evidence.ROOFLINE
    measured = isinstance(layout, TableLayout) and layout.measured
    return Evidence.MEASURED if measured else Evidence.INTERPOLATED


def _tokens_s(layout: Layout, tokens: int, flags: EngineFlags, overlap: bool) -> float:
    """What a step of so many tokens costs before its context is counted.

    With `overlap` the host prepares a step while the one before it runs; not with pipelines (vLLM 0.14 on).
    """
    gpu_s = (
        layout.dense_s(tokens)
        + layout.experts_s(tokens)
        + layout.reduce_s(tokens)
        + layout.kernels_s(tokens)
        + layout.decode_start_s()
        + layout.head_s(1)
    )
    graph = tokens <= LARGEST_GRAPH and not flags.enforce_eager
    gpu_s = gpu_s if graph else max(gpu_s, layout.launch_s())
    if not overlap:
        return HOST_S + gpu_s
    return max(BETWEEN_S + gpu_s, HOST_S + HOST_SEQ_S * min(tokens, flags.max_num_seqs))
