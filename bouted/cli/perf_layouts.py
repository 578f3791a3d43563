"""The layouts that `bouted perf` was asked about, with the gate's word on each."""

from dataclasses import dataclass, replace

import click

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.cli.perf_ask import Ask
from bouted.cli.perf_here import Here
from bouted.cli.perf_named import named_gpu, named_model
from bouted.errors import Misconfigured
from bouted.perf.candidates import KV_REQUESTS, NODE_GPUS, PIPELINE_PARALLEL, TENSOR_PARALLEL, RefusedShape
from bouted.perf.defaults import default_flags
from bouted.perf.flags import EngineFlags
from bouted.perf.replica import Replica, lay_out, started
from bouted.perf.shapes import Refusal, ReplicaShape


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """Every layout tried: those that start, and those that do not."""

    replicas: tuple[Replica, ...]
    refused: tuple[RefusedShape, ...]


def replica_of(ask: Ask, here: Here, longest_tokens: int) -> Replica:
    """The one layout asked for; Misconfigured with the gate's line when it would not start."""
    if ask.gpu is None:
        raise click.UsageError("say which GPU: --gpu h100, or rank them with --all")
    model, gpu = named_model(here.catalog, ask.model), named_gpu(here.catalog, ask.gpu)
    shape = _shape(ask, model, gpu, ask.tp or 1, ask.pp or 1)
    flags = _flags(ask, gpu, shape, longest_tokens)
    return started(lay_out(model, gpu, shape, flags, failed=here.failed), shape)


def layouts_of(ask: Ask, here: Here, longest_tokens: int) -> LaidOut:
    """Every layout of up to 8 GPUs that the options leave open; Misconfigured when none starts."""
    model = named_model(here.catalog, ask.model)
    gpus = here.catalog.gpus if ask.gpu is None else (named_gpu(here.catalog, ask.gpu),)
    replicas: list[Replica] = []
    refused: list[RefusedShape] = []
    for gpu in gpus:
        for shape in _shapes(ask, model, gpu):
            flags = _flags(ask, gpu, shape, longest_tokens)
            least = KV_REQUESTS * flags.max_model_len
            made = lay_out(model, gpu, shape, flags, min_kv_tokens=least, failed=here.failed)
            if isinstance(made, Refusal):
                refused.append(RefusedShape(shape=shape, rule=made.rule, reason=made.reason))
            else:
                replicas.append(made)
    if not replicas:
        raise _none_starts(refused)
    return LaidOut(replicas=tuple(replicas), refused=tuple(refused))


def _flags(ask: Ask, gpu: GpuSpec, shape: ReplicaShape, longest_tokens: int) -> EngineFlags:
    """What the engine chooses by itself, with what was asked for."""
    context = max(longest_tokens, ask.context_tokens or 0)
    chosen = default_flags(shape.engine, gpu, context, tp=shape.tp, pp=shape.pp)
    return replace(chosen, kv_cache_dtype=ask.kv_cache_dtype)


def _shapes(ask: Ask, model: ModelSpec, gpu: GpuSpec) -> list[ReplicaShape]:
    return [
        _shape(ask, model, gpu, tp, pp)
        for tp in ((ask.tp,) if ask.tp else TENSOR_PARALLEL)
        for pp in ((ask.pp,) if ask.pp else PIPELINE_PARALLEL)
        if tp * pp <= NODE_GPUS or ask.tp or ask.pp
    ]


def _shape(ask: Ask, model: ModelSpec, gpu: GpuSpec, tp: int, pp: int) -> ReplicaShape:
    return ReplicaShape(
        model=model.name,
        gpu=gpu.name,
        tp=tp,
        pp=pp,
        precision=ask.precision or model.published,
        engine=ask.engine,
    )


def _none_starts(refused: list[RefusedShape]) -> Misconfigured:
    largest = max(refused, key=lambda one: (one.shape.tp, one.shape.pp))
    where = f"{largest.shape.gpu_count}x {largest.shape.gpu}"
    return Misconfigured(
        "",
        f"none of {len(refused)} layouts starts; {where}: {largest.reason}",
        hint="give a lower --precision, a shorter context or another --gpu",
    )
