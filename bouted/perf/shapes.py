"""One replica's shape, the cost of its engine steps, and what a layout needs in memory."""

from dataclasses import dataclass
from enum import StrEnum

from bouted.catalog.gpus import Evidence


class Precision(StrEnum):
    """Weight precision; the KV cache is 16-bit."""

    BF16 = "bf16"
    FP8 = "fp8"


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
class StepCosts:
    """What one engine step costs, as a roofline with measured efficiencies.

    A step that prefills `p` prompt tokens and decodes `d` sequences holding `c` tokens of context takes
    `overhead_s + max(weights_s, (p + d) * compute_s_per_token) + c * kv_s_per_token`.
    `spread` is the relative half-width of the 10-90 % interval of the truth around the estimate.
    """

    overhead_s: float
    weights_s: float
    compute_s_per_token: float
    kv_s_per_token: float
    kv_capacity_tokens: int
    max_batch: int
    max_step_tokens: int
    evidence: Evidence
    spread: float

    def step_s(self, prefill_tokens: int, decode_seqs: int, context_tokens: int) -> float:
        """Seconds of one step."""
        compute = (prefill_tokens + decode_seqs) * self.compute_s_per_token
        return self.overhead_s + max(self.weights_s, compute) + context_tokens * self.kv_s_per_token


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
