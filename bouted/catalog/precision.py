"""How weights and KV cache are stored, and what that makes of a GPU's arithmetic."""

from enum import StrEnum


class Precision(StrEnum):
    """Weight precision. Embeddings, the output head, routers and norms stay 16-bit in all of them."""

    BF16 = "bf16"
    FP8 = "fp8"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    """Four-bit experts, the rest 16-bit: how gpt-oss is published."""
    INT4 = "int4"
    """AWQ or GPTQ: four-bit weights, 16-bit arithmetic."""

    @property
    def element_bytes(self) -> float:
        """Bytes of one quantised weight with its share of the scales.

        NVFP4 has an 8-bit scale per 16 weights, MXFP4 one per 32, INT4 a 16-bit scale and as much for the
        zero point per 128.
        """
        return _ELEMENT_BYTES[self]


class KvPrecision(StrEnum):
    """KV cache precision; `auto` is 16-bit."""

    AUTO = "auto"
    FP8 = "fp8"

    @property
    def element_bytes(self) -> int:
        """Bytes of one key or value element."""
        return 1 if self is KvPrecision.FP8 else 2


_ELEMENT_BYTES = {
    Precision.BF16: 2.0,
    Precision.FP8: 1.0,
    Precision.NVFP4: 0.5 + 1 / 16,
    Precision.MXFP4: 0.5 + 1 / 32,
    Precision.INT4: 0.5 + 4 / 128,
}
