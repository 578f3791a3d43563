"""Whether a layout starts: the rules it must keep, then its memory.

The arithmetic follows vLLM: it may use 90 % of each GPU, and what the weights and the engine leave of
that is KV cache. A GPU more or less is decided by the weights, not by the engine's own needs.
"""

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.defaults import default_flags
from bouted.perf.flags import EngineFlags
from bouted.perf.kv import request_kv_bytes
from bouted.perf.refused import RefusedStart, learned_refusal
from bouted.perf.reserve import GIB, standing_gib, step_gib
from bouted.perf.room import Room, room_of
from bouted.perf.rules import broken_rule
from bouted.perf.shapes import Fit, Refusal, ReplicaShape, Rule
from bouted.perf.weights import weight_bytes


def fits(
    model: ModelSpec,
    gpu: GpuSpec,
    shape: ReplicaShape,
    *,
    context_tokens: int,
    min_kv_tokens: int,
    flags: EngineFlags | None = None,
    request_tokens: int | None = None,
    learned: tuple[RefusedStart, ...] = (),
) -> Fit | Refusal:
    """The memory layout of `shape`, or the rule it breaks with the reason in one line.

    `context_tokens` is the longest request, prompt and output; the KV cache must hold one such request
    and at least `min_kv_tokens`. `flags` are the engine's own choice unless given. With sliding windows
    long requests take less per token: `kv_capacity_tokens` is for requests of `request_tokens`, the longest
    ones unless given. `learned` are failed starts that still count.
    """
    if flags is None:
        flags = default_flags(shape.engine, gpu, context_tokens, tp=shape.tp, pp=shape.pp)
    broken = broken_rule(model, gpu, shape, flags, context_tokens)
    if broken is None:
        broken = learned_refusal(model, gpu, shape, flags, learned)
    if broken is not None:
        return broken
    room = room_of(model, gpu, shape, flags)
    wanted = max(context_tokens, min_kv_tokens)
    short = _capacity(model, shape, flags, room, context_tokens) < wanted
    if short or _capacity(model, shape, flags, room, flags.max_model_len) < flags.max_model_len:
        return Refusal(rule=Rule.MEMORY, reason=_arithmetic(model, gpu, shape, flags, room, wanted))
    return Fit(
        weights_gib=room.weights_gib,
        reserve_gib=room.reserve_gib,
        kv_gib=room.kv_gib,
        kv_capacity_tokens=_capacity(model, shape, flags, room, request_tokens or context_tokens),
        flags=flags,
    )


def least_memory_gib(model: ModelSpec, precision: Precision, *, context_tokens: int = 0) -> float:
    """GPU memory, in GiB, below which no single GPU or group holds the model and one longest request."""
    flags = EngineFlags(max_model_len=context_tokens)
    kv = request_kv_bytes(model, KvPrecision.AUTO, context_tokens)
    reserve = standing_gib(1, 1) + step_gib(model, flags, 1)
    return ((weight_bytes(model, precision) + kv) / GIB + reserve) / flags.gpu_memory_utilization


def _capacity(model: ModelSpec, shape: ReplicaShape, flags: EngineFlags, room: Room, tokens: int) -> int:
    """KV tokens that the replica holds in requests of `tokens`."""
    held = request_kv_bytes(model, flags.kv_cache_dtype, tokens, tp=shape.tp, pp=shape.pp)
    return max(0, int(room.kv_gib * GIB * tokens / held))


def _arithmetic(
    model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape, flags: EngineFlags, room: Room, tokens: int
) -> str:
    count = shape.gpu_count
    longest = flags.max_model_len
    one = request_kv_bytes(model, flags.kv_cache_dtype, longest, tp=shape.tp, pp=shape.pp) / GIB
    kv = max(one, one * tokens / longest) * count
    share = flags.gpu_memory_utilization
    return (
        f"needs {room.weights_gib * count:.1f} GiB for weights + {kv:.1f} GiB KV on {count} x"
        f" {room.usable_gib:.1f} GiB usable ({share:.0%} of {gpu.memory_gib:.1f}"
        f" less {room.reserve_gib:.1f} for the engine)"
    )
