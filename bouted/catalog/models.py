"""What a model is: the shape facts that decide memory and speed."""

from dataclasses import dataclass

from bouted.catalog.precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A mixture of experts in place of the feed-forward part of all but the first `dense_layers` layers.

    `intermediate` is one expert's width, `shared_intermediate` that of the experts every token visits
    (0: none).
    """

    count: int
    per_token: int
    intermediate: int
    shared_intermediate: int = 0
    dense_layers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (MLA): keys and values are cached as one low-rank vector per token.

    `query_rank` 0 means that queries are not compressed.
    """

    kv_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int
    query_rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindow:
    """`layers` of the model attend only to the last `tokens`; the others to everything."""

    tokens: int
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model's published shape (the fields of its `config.json`).

    `params_b` counts everything that an engine loads, in 10^9; `vision_b` of them encode images.
    `tied` models share the embedding with the output head. `sinks` models have attention sinks, and
    `needs_bf16` ones overflow in fp16. `int4_intermediate` is the feed-forward width of its published
    four-bit checkpoints, where that is padded. `published` is the precision of its repository's weights;
    with `attention_16bit` it leaves attention out of it.
    """

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
    tied: bool = False
    sinks: bool = False
    needs_bf16: bool = False
    vision_b: float = 0.0
    int4_intermediate: int | None = None
    published: Precision = Precision.BF16
    attention_16bit: bool = False
    experts: Experts | None = None
    latent: LatentAttention | None = None
    window: SlidingWindow | None = None
