"""What a model is: the shape facts that decide memory and speed. Dense transformers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model's published shape (the fields of its `config.json`)."""

    name: str
    hf_repo: str
    params_b: float
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_context: int
    source: str

    def kv_bytes_per_token(self) -> int:
        """Bytes of KV cache that one token takes over all layers, 16-bit."""
        return 2 * self.layers * self.kv_heads * self.head_dim * 2
