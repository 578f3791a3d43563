"""One replica's shape, and whether it fits."""

from dataclasses import dataclass
from enum import StrEnum

from bouted.catalog.precision import Precision


class Engine(StrEnum):
    """The serving engine of a replica."""

    VLLM = "vllm"
    SGLANG = "sglang"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ReplicaShape:
    """How one replica of a model lies on GPUs of one type. `model` is the config's model name."""

    model: str
    gpu: str
    tp: int
    pp: int
    precision: Precision
    engine: Engine

    @property
    def gpu_count(self) -> int:
        """GPUs that one replica takes."""
        return self.tp * self.pp

    @property
    def id(self) -> str:
        """Readable and unique, e.g. `large@H100-80GB:tp2pp1:bf16:vllm`."""
        return f"{self.model}@{self.gpu}:tp{self.tp}pp{self.pp}:{self.precision}:{self.engine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A layout that starts: GiB per GPU, and KV tokens left over for the whole replica."""

    weights_gib: float
    reserve_gib: float
    kv_gib: float
    kv_capacity_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A layout that would not start, and the arithmetic or rule that says so, in one line."""

    reason: str
