"""Which layouts of the wanted models start on the GPUs on offer, and which models have none. Pure."""

from dataclasses import dataclass

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.candidates import candidate_shapes
from bouted.perf.costs import StepCosts
from bouted.perf.memory import least_memory_gib
from bouted.perf.refused import RefusedStart
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.workload.profile import RequestLength


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

    shapes: tuple[tuple[ReplicaShape, StepCosts], ...]
    without: tuple[NoLayout, ...]


def layouts_of(
    models: tuple[ModelWanted, ...],
    gpus: tuple[GpuSpec, ...],
    lengths: tuple[RequestLength, ...],
    refused: tuple[RefusedStart, ...],
) -> Layouts:
    """The layouts of `models` on `gpus` for requests of `lengths`, less those that failed starts rule out."""
    longest = max(n.prompt_tokens + n.output_tokens for n in lengths)
    found = {
        model.name: [
            (shape, costs)
            for shape, costs in candidate_shapes(
                model.name,
                model.spec,
                gpus,
                model.precision,
                model.engine,
                model.context_tokens,
                learned=refused,
            )
            if costs.kv_capacity_tokens >= longest
        ]
        for model in models
    }
    return Layouts(
        shapes=tuple(pair for pairs in found.values() for pair in pairs),
        without=tuple(
            NoLayout(model=model.name, reason=_needs(model)) for model in models if not found[model.name]
        ),
    )


def _needs(model: ModelWanted) -> str:
    least = least_memory_gib(model.spec, model.precision, context_tokens=model.context_tokens)
    return f"{model.spec.name} in {model.precision} needs {least:.0f} GiB of GPU memory"
