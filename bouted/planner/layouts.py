"""Which layouts of the wanted models start on the GPUs on offer, and which models have none. Pure."""

from dataclasses import dataclass
from typing import TypeAlias

from bouted.catalog.gpus import GpuSpec, Link
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.candidates import candidate_shapes, refusals
from bouted.perf.costs import StepCosts
from bouted.perf.memory import least_memory_gib
from bouted.perf.refused import RefusedStart
from bouted.perf.shapes import Engine, ReplicaShape, Rule
from bouted.workload.profile import RequestLength

BATCHED_WELL = 16
"""Requests at once from which on more room for KV cache gains little."""

Pair: TypeAlias = tuple[ReplicaShape, StepCosts]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWanted:
    """One model to serve, under its name in the config."""

    name: str
    spec: ModelSpec
    precision: Precision
    engine: Engine
    context_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLayout:
    """A model that starts on none of the GPUs, and how much memory it needs."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """Every layout that starts and holds the longest request, with its step costs as modelled."""

    shapes: tuple[Pair, ...]
    without: tuple[NoLayout, ...]


def layouts_of(
    models: tuple[ModelWanted, ...],
    gpus: tuple[GpuSpec, ...],
    lengths: tuple[RequestLength, ...],
    refused: tuple[RefusedStart, ...],
    groups: int = 1,
) -> Layouts:
    """The layouts of `models` on `gpus` for requests of `lengths`, less those that failed starts rule out.
    Pipelines may lie over up to `groups` equal instances.

    Pipelines are left out where a tensor-parallel group of as many GPUs linked by NVLink starts, and where
    fewer stages have room for `BATCHED_WELL` of the longest requests.
    """
    longest = max(n.prompt_tokens + n.output_tokens for n in lengths)
    linked = frozenset(gpu.name for gpu in gpus if gpu.link is Link.NVLINK)
    found = {
        model.name: [
            (shape, costs)
            for shape, costs in _worth_planning(_starting(model, gpus, refused, groups), linked, longest)
            if costs.kv_capacity_tokens >= longest
        ]
        for model in models
    }
    return Layouts(
        shapes=tuple(pair for pairs in found.values() for pair in pairs),
        without=tuple(
            NoLayout(model=model.name, reason=_reason(model, gpus, refused))
            for model in models
            if not found[model.name]
        ),
    )


def _starting(
    model: ModelWanted, gpus: tuple[GpuSpec, ...], refused: tuple[RefusedStart, ...], groups: int
) -> tuple[Pair, ...]:
    return candidate_shapes(
        model.name,
        model.spec,
        gpus,
        model.precision,
        model.engine,
        model.context_tokens,
        learned=refused,
        groups=groups,
    )


def _worth_planning(pairs: tuple[Pair, ...], linked: frozenset[str], longest: int) -> tuple[Pair, ...]:
    """Without the pipelines that nobody would run; they take longest to simulate.

    Over NVLink, tensor parallelism won wherever both were measured: all 26 cells of llm_inference_bench that
    hold TP against PP. And more stages shorten nothing: where fewer hold requests enough to batch
    them well, replicas of those serve more. Which instances there are is not known here, so a pipeline over
    several is kept even where one large instance would do better.
    """
    tied = {(shape.gpu, shape.tp) for shape, _ in pairs if shape.pp == 1 and shape.gpu in linked}
    roomy = {
        (shape.gpu, shape.tp, shape.pp)
        for shape, costs in pairs
        if costs.kv_capacity_tokens >= BATCHED_WELL * longest
    }
    return tuple(
        (shape, costs)
        for shape, costs in pairs
        if shape.pp == 1
        or (
            (shape.instances > 1 or (shape.gpu, shape.gpu_count) not in tied)
            and not any((shape.gpu, shape.tp, fewer) in roomy for fewer in range(1, shape.pp))
        )
    )


def _reason(model: ModelWanted, gpus: tuple[GpuSpec, ...], refused: tuple[RefusedStart, ...]) -> str:
    """The memory it needs, where memory is what lacks; else what the gate says of its first layout."""
    others = refusals(
        model.name,
        model.spec,
        gpus,
        model.precision,
        model.engine,
        model.context_tokens,
        learned=refused,
    )
    if others and all(one.rule is not Rule.MEMORY for one in others):
        return others[0].reason
    least = least_memory_gib(model.spec, model.precision, context_tokens=model.context_tokens)
    return f"{model.spec.name} in {model.precision} needs {least:.0f} GiB of GPU memory"
