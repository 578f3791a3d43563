"""One replica as it would run: its layout, what the gate says of it, and what its steps cost. Pure."""

from dataclasses import dataclass

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.errors import Misconfigured
from bouted.perf.costs import StepCosts
from bouted.perf.flags import EngineFlags
from bouted.perf.memory import fits
from bouted.perf.refused import RefusedStart
from bouted.perf.shapes import Fit, Refusal, ReplicaShape
from bouted.perf.steptime import step_costs
from bouted.perf.tables import installed_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A layout that starts."""

    model: ModelSpec
    gpu: GpuSpec
    shape: ReplicaShape
    flags: EngineFlags
    fit: Fit
    costs: StepCosts


def lay_out(
    model: ModelSpec,
    gpu: GpuSpec,
    shape: ReplicaShape,
    flags: EngineFlags,
    *,
    min_kv_tokens: int = 0,
    failed: tuple[RefusedStart, ...] = (),
) -> Replica | Refusal:
    """The replica that `shape` makes of `model` for requests of up to `flags.max_model_len` tokens.

    Its KV cache must hold one such request and at least `min_kv_tokens`. `failed` are starts that failed
    and still count.
    """
    context = flags.max_model_len
    fit = fits(
        model,
        gpu,
        shape,
        context_tokens=context,
        min_kv_tokens=max(context, min_kv_tokens),
        flags=flags,
        learned=failed,
    )
    if isinstance(fit, Refusal):
        return fit
    costs = step_costs(model, gpu, shape, fit, flags, tables=installed_tables())
    return Replica(model=model, gpu=gpu, shape=shape, flags=flags, fit=fit, costs=costs)


def started(replica: Replica | Refusal, shape: ReplicaShape) -> Replica:
    """The replica; Misconfigured with the gate's line when the layout would not start."""
    if isinstance(replica, Replica):
        return replica
    wide = f"tp {shape.tp}, pp {shape.pp}"
    raise Misconfigured(
        "",
        f"{shape.model} in {shape.precision} on {shape.gpu_count}x {shape.gpu} ({wide}): {replica.reason}",
        hint="more GPUs (--tp, --pp), a lower --precision or a shorter context; --all shows what starts",
    )
