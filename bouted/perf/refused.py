"""What failed starts teach: a layout that ran out of memory does so again, and so does a tighter one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.flags import EngineFlags
from bouted.perf.room import room_of
from bouted.perf.shapes import Engine, Refusal, ReplicaShape, Rule


class StartFailure(StrEnum):
    """Why an engine did not start: out of memory, or it refused the layout."""

    OOM = "oom"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedStart:
    """An engine that did not start. `model` is the spec's name; `detail` is its last word, one line."""

    model: str
    gpu: str
    tp: int
    pp: int
    precision: Precision
    engine: Engine
    kind: StartFailure
    at: datetime
    detail: str


def recent_starts(
    starts: tuple[RefusedStart, ...], *, now: datetime, days: float
) -> tuple[RefusedStart, ...]:
    """Those of the last `days`: engines change, so a failure is not held against a layout for ever."""
    return tuple(start for start in starts if now - start.at <= timedelta(days=days))


def learned_refusal(
    model: ModelSpec,
    gpu: GpuSpec,
    shape: ReplicaShape,
    flags: EngineFlags,
    starts: tuple[RefusedStart, ...],
) -> Refusal | None:
    """Why the layout would fail as others did; None where nothing says so.

    A start speaks of its own layout. One that ran out of memory also speaks of every layout of the same
    model, GPU, precision and engine that our arithmetic leaves no more memory per GPU: if we were wrong
    there, we are wrong here.
    """
    left_gib = room_of(model, gpu, shape, flags).kv_gib
    for start in starts:
        if (start.model, start.gpu, start.precision, start.engine) != (
            model.name,
            gpu.name,
            shape.precision,
            shape.engine,
        ):
            continue
        failed = f"tp {start.tp} pp {start.pp} failed to start on {start.at:%Y-%m-%d}: {start.detail}"
        if (start.tp, start.pp) == (shape.tp, shape.pp):
            return Refusal(rule=Rule.LEARNED, reason=failed)
        before_gib = _left_gib(start, model, gpu, shape, flags)
        if start.kind is StartFailure.OOM and left_gib <= before_gib:
            less = f"leaves {left_gib:.1f} GiB a GPU for KV, no more than {before_gib:.1f} where "
            return Refusal(rule=Rule.LEARNED, reason=less + failed)
    return None


def _left_gib(
    start: RefusedStart, model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape, flags: EngineFlags
) -> float:
    failed = ReplicaShape(
        model=shape.model,
        gpu=gpu.name,
        tp=start.tp,
        pp=start.pp,
        precision=start.precision,
        engine=start.engine,
    )
    return room_of(model, gpu, failed, flags).kv_gib
