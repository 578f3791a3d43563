"""How weights and KV cache are stored, and what that makes of a GPU's arithmetic."""

from enum import StrEnum


class Precision(StrEnum):
    """Weight precision. Embeddings, the output head and norms stay 16-bit in all of them."""

    BF16 = "bf16"
    FP8 = "fp8"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    """Four-bit experts, the rest 16-bit: how gpt-oss is published."""
    INT4 = "int4"
    """AWQ or GPTQ: four-bit weights, 16-bit arithmetic."""


class KvPrecision(StrEnum):
    """KV cache precision; `auto` is 16-bit."""

    AUTO = "auto"
    FP8 = "fp8"

    @property
    def element_bytes(self) -> int:
        """Bytes of one key or value element."""
        return 1 if self is KvPrecision.FP8 else 2
