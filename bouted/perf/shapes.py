"""One replica's shape, and whether it fits."""

from dataclasses import dataclass
from enum import StrEnum

from bouted.catalog.precision import Precision
from bouted.perf.flags import EngineFlags


class Engine(StrEnum):
    """The serving engine of a replica."""

    VLLM = "vllm"
    SGLANG = "sglang"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ReplicaShape:
    """How one replica of a model lies on GPUs of one type. `model` is the config's model name.

    Its pipeline stages may lie on several equal `instances`, as many on each, and fill them.
    """

    model: str
    gpu: str
    tp: int
    pp: int
    precision: Precision
    engine: Engine
    instances: int = 1

    @property
    def gpu_count(self) -> int:
        """GPUs that one replica takes."""
        return self.tp * self.pp

    @property
    def id(self) -> str:
        """Readable and unique, e.g. `large@H100-80GB:tp2pp1:bf16:vllm`, `...:tp8pp2n2:...` over two nodes."""
        over = f"n{self.instances}" if self.instances > 1 else ""
        return f"{self.model}@{self.gpu}:tp{self.tp}pp{self.pp}{over}:{self.precision}:{self.engine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A layout that starts with `flags`: GiB per GPU, and KV tokens left over for the whole replica."""

    weights_gib: float
    reserve_gib: float
    kv_gib: float
    kv_capacity_tokens: int
    flags: EngineFlags


class Rule(StrEnum):
    """What a refused layout breaks."""

    PRECISION = "precision"
    """The GPU or the model has no such precision."""
    LINK = "link"
    """Tensor parallelism would leave the fast link."""
    STAGES = "stages"
    """More pipeline stages than layers, or than anybody runs."""
    HEADS = "heads"
    """Attention heads do not divide over the GPUs."""
    WIDTH = "width"
    """A layer's width does not divide over the GPUs, or not into blocks that share a scale."""
    CONTEXT = "context"
    """The requests are longer than the model or the engine's flags allow."""
    MEMORY = "memory"
    """Weights, engine and KV cache are more than the GPUs hold."""
    LEARNED = "learned"
    """It, or one with no less memory left, failed to start before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A layout that would not start: the rule it breaks, and the arithmetic in one line."""

    rule: Rule
    reason: str
