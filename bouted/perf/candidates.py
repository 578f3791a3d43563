"""Which layouts of a model start on which GPUs, and why the others do not."""

from dataclasses import dataclass

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts
from bouted.perf.memory import fits
from bouted.perf.shapes import Engine, Refusal, ReplicaShape
from bouted.perf.steptime import step_costs

TENSOR_PARALLEL = (1, 2, 4, 8)
PIPELINE_PARALLEL = 2
KV_REQUESTS = 4  # a layout that cannot hold four of the longest requests would batch nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedShape:
    """A layout that would not start, and the arithmetic or rule that says so."""

    shape: ReplicaShape
    reason: str


def candidate_shapes(
    model_name: str,
    spec: ModelSpec,
    gpus: tuple[GpuSpec, ...],
    precision: Precision,
    engine: Engine,
    context_tokens: int,
) -> tuple[tuple[ReplicaShape, StepCosts], ...]:
    """Every layout that starts, with its step costs. Pipelines only where no tensor-parallel group does."""
    found: list[tuple[ReplicaShape, StepCosts]] = []
    for gpu in gpus:
        single = _starting(model_name, spec, gpu, precision, engine, context_tokens, pp=1)
        found += single or _starting(
            model_name, spec, gpu, precision, engine, context_tokens, pp=PIPELINE_PARALLEL
        )
    return tuple(found)


def refusals(
    model_name: str,
    spec: ModelSpec,
    gpus: tuple[GpuSpec, ...],
    precision: Precision,
    engine: Engine,
    context_tokens: int,
) -> tuple[RefusedShape, ...]:
    """The single-stage layouts that would not start, each with its reason."""
    refused: list[RefusedShape] = []
    for gpu in gpus:
        for shape in _shapes(model_name, gpu, precision, engine, pp=1):
            fit = fits(spec, gpu, shape, context_tokens=context_tokens, min_kv_tokens=_kv(context_tokens))
            if isinstance(fit, Refusal):
                refused.append(RefusedShape(shape=shape, reason=fit.reason))
    return tuple(refused)


def _kv(context_tokens: int) -> int:
    return KV_REQUESTS * context_tokens


def _shapes(
    model_name: str, gpu: GpuSpec, precision: Precision, engine: Engine, *, pp: int
) -> tuple[ReplicaShape, ...]:
    return tuple(
        ReplicaShape(model=model_name, gpu=gpu.name, tp=tp, pp=pp, precision=precision, engine=engine)
        for tp in TENSOR_PARALLEL
        if tp * pp <= gpu.max_fast_group  # stages too, until hops between groups are measured
    )


def _starting(
    model_name: str,
    spec: ModelSpec,
    gpu: GpuSpec,
    precision: Precision,
    engine: Engine,
    context_tokens: int,
    *,
    pp: int,
) -> list[tuple[ReplicaShape, StepCosts]]:
    found: list[tuple[ReplicaShape, StepCosts]] = []
    for shape in _shapes(model_name, gpu, precision, engine, pp=pp):
        fit = fits(spec, gpu, shape, context_tokens=context_tokens, min_kv_tokens=_kv(context_tokens))
        if not isinstance(fit, Refusal):
            found.append((shape, step_costs(spec, gpu, shape, fit)))
    return found
