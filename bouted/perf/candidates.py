"""Which layouts of a model start on which GPUs, and why the others do not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts
from bouted.perf.memory import fits
from bouted.perf.refused import RefusedStart
from bouted.perf.shapes import Engine, Fit, Refusal, ReplicaShape, Rule
from bouted.perf.steptime import step_costs
from bouted.perf.tables import installed_tables

TENSOR_PARALLEL = (1, 2, 4, 8)
PIPELINE_PARALLEL = (1, 2, 4)
NODE_GPUS = 8
"""GPUs of the largest instance. Layouts of more lie over several nodes."""
KV_REQUESTS = 4  # a layout that cannot hold four of the longest requests would batch nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedShape:
    """A layout that would not start, the rule it breaks, and the arithmetic."""

    shape: ReplicaShape
    rule: Rule
    reason: str


def candidate_shapes(
    model_name: str,
    spec: ModelSpec,
    gpus: tuple[GpuSpec, ...],
    precision: Precision,
    engine: Engine,
    context_tokens: int,
    *,
    learned: tuple[RefusedStart, ...] = (),
    most_gpus: int = NODE_GPUS,
    groups: int = 1,
) -> tuple[tuple[ReplicaShape, StepCosts], ...]:
    """Every layout of up to `most_gpus` that starts, with its step costs, and every pipeline over up to
    `groups` instances of up to `NODE_GPUS`.

    They rest on the operator tables of aiconfigurator-core where that is installed.
    """
    return tuple(
        (shape, step_costs(spec, gpu, shape, found, found.flags, tables=installed_tables()))
        for gpu in gpus
        for shape in (
            *_shapes(model_name, gpu, precision, engine, most_gpus),
            *_grouped(model_name, gpu, precision, engine, groups),
        )
        if isinstance(found := _tried(spec, gpu, shape, context_tokens, learned), Fit)
    )


def refusals(
    model_name: str,
    spec: ModelSpec,
    gpus: tuple[GpuSpec, ...],
    precision: Precision,
    engine: Engine,
    context_tokens: int,
    *,
    learned: tuple[RefusedStart, ...] = (),
    most_gpus: int = NODE_GPUS,
) -> tuple[RefusedShape, ...]:
    """The layouts of up to `most_gpus` that would not start, each with its reason."""
    return tuple(
        RefusedShape(shape=shape, rule=found.rule, reason=found.reason)
        for gpu in gpus
        for shape in _shapes(model_name, gpu, precision, engine, most_gpus)
        if isinstance(found := _tried(spec, gpu, shape, context_tokens, learned), Refusal)
    )


def _tried(
    spec: ModelSpec,
    gpu: GpuSpec,
    shape: ReplicaShape,
    context_tokens: int,
    learned: tuple[RefusedStart, ...],
) -> Fit | Refusal:
    return fits(
        spec,
        gpu,
        shape,
        context_tokens=context_tokens,
        min_kv_tokens=KV_REQUESTS * context_tokens,
        learned=learned,
    )


def _shapes(
    model_name: str, gpu: GpuSpec, precision: Precision, engine: Engine, most_gpus: int
) -> Iterator[ReplicaShape]:
    for pp in PIPELINE_PARALLEL:
        for tp in TENSOR_PARALLEL:
            if tp * pp <= most_gpus:
                yield ReplicaShape(
                    model=model_name, gpu=gpu.name, tp=tp, pp=pp, precision=precision, engine=engine
                )


def _grouped(
    model_name: str, gpu: GpuSpec, precision: Precision, engine: Engine, groups: int
) -> Iterator[ReplicaShape]:
    """Pipelines with equally many stages on each instance."""
    for instances in range(2, groups + 1):
        for shape in _shapes(model_name, gpu, precision, engine, instances * NODE_GPUS):
            if shape.pp % instances == 0:
                yield replace(shape, instances=instances)
