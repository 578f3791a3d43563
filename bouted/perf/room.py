"""How a GPU's memory is shared out: weights, the engine, and what is left for KV cache."""

from dataclasses import dataclass

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.perf.flags import EngineFlags
from bouted.perf.reserve import GIB, standing_gib, step_gib
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.perf.weights import gpu_weight_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """GiB per GPU. `usable_gib` is for weights and KV cache; `kv_gib` is below 0 where weights are more.

    vLLM takes its share of the whole GPU and runs within it. SGLang's share is for weights and KV cache
    alone, of what is free before it loads; its steps run in the rest.
    """

    usable_gib: float
    weights_gib: float
    reserve_gib: float

    @property
    def kv_gib(self) -> float:
        """What is left for KV cache."""
        return self.usable_gib - self.weights_gib


def room_of(model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape, flags: EngineFlags) -> Room:
    """The room of a layout on each of its GPUs, in the largest pipeline stage."""
    standing = standing_gib(shape.tp, shape.pp)
    share = flags.gpu_memory_utilization
    weights = gpu_weight_bytes(model, shape.precision, tp=shape.tp, pp=shape.pp) / GIB
    if shape.engine is Engine.SGLANG:
        usable = share * (gpu.memory_gib - standing)
        return Room(usable_gib=usable, weights_gib=weights, reserve_gib=standing)
    reserve = standing + step_gib(model, flags, shape.tp)
    return Room(usable_gib=share * gpu.memory_gib - reserve, weights_gib=weights, reserve_gib=reserve)
