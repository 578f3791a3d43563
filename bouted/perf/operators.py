"""What a model computes per layer, as operators on one GPU of a tensor-parallel group."""

from dataclasses import dataclass

from bouted.catalog.models import Experts, LatentAttention, ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """A dense layer of `k x n` weights, `count` of them in the model. `low` says whether it is quantised."""

    n: float
    k: float
    count: int
    low: bool = True


def gemms(model: ModelSpec, tp: int) -> tuple[Gemm, ...]:
    """Every dense layer but the output head and the experts; routers stay 16-bit."""
    plain = model.layers if model.experts is None else model.experts.dense_layers
    found = (*_attention(model, tp), *_gated(model.intermediate, model.hidden, tp, plain))
    if model.experts is None:
        return found
    mixed = model.layers - plain
    router = Gemm(n=model.experts.count, k=model.hidden, count=mixed, low=False)
    return (*found, *_gated(model.experts.shared_intermediate, model.hidden, tp, mixed), router)


def query_heads(model: ModelSpec, tp: int) -> float:
    """Query heads on one GPU."""
    return model.heads / tp


def kv_width(model: ModelSpec, tp: int) -> float:
    """Elements that one token leaves in one layer's KV cache on one GPU; keys and values together."""
    if model.latent is not None:
        return float(model.latent.kv_rank + model.latent.rope_dim)
    return 2 * max(1.0, model.kv_heads / tp) * model.head_dim


def pair_flops(model: ModelSpec, tp: int) -> float:
    """FLOPs of one (query token, earlier token) pair in one layer's prefill on one GPU."""
    if model.latent is not None:
        inner = model.latent.nope_dim + model.latent.rope_dim + model.latent.value_dim
        return 2 * query_heads(model, tp) * inner
    return 4 * query_heads(model, tp) * model.head_dim


def expert_bytes(experts: Experts, hidden: int, tp: int, weight_bytes: float) -> float:
    """Bytes of one expert on one GPU."""
    return 3 * hidden * experts.intermediate / tp * weight_bytes


def visited(experts: Experts, tokens: float) -> float:
    """How many experts `tokens` visit, if each picks `per_token` of them evenly."""
    return float(experts.count * (1 - (1 - experts.per_token / experts.count) ** tokens))


def _attention(model: ModelSpec, tp: int) -> tuple[Gemm, ...]:
    if model.latent is not None:
        return _latent(model, model.latent, tp)
    heads = query_heads(model, tp) * model.head_dim
    kv = 2 * max(1.0, model.kv_heads / tp) * model.head_dim
    low = not model.attention_16bit
    return (
        Gemm(n=heads + kv, k=model.hidden, count=model.layers, low=low),
        Gemm(n=model.hidden, k=heads, count=model.layers, low=low),
    )


def _latent(model: ModelSpec, latent: LatentAttention, tp: int) -> tuple[Gemm, ...]:
    heads, down = query_heads(model, tp), latent.kv_rank + latent.rope_dim
    query = heads * (latent.nope_dim + latent.rope_dim)
    lift = Gemm(
        n=heads * (latent.nope_dim + latent.value_dim), k=latent.kv_rank, count=model.layers, low=False
    )
    out = Gemm(n=model.hidden, k=heads * latent.value_dim, count=model.layers)
    if not latent.query_rank:
        return (Gemm(n=query + down, k=model.hidden, count=model.layers), lift, out)
    first = Gemm(n=latent.query_rank + down, k=model.hidden, count=model.layers)
    return (first, Gemm(n=query, k=latent.query_rank, count=model.layers), lift, out)


def _gated(intermediate: int, hidden: int, tp: int, layers: int) -> tuple[Gemm, ...]:
    if not intermediate or not layers:
        return ()
    return (
        Gemm(n=2 * intermediate / tp, k=hidden, count=layers),
        Gemm(n=hidden, k=intermediate / tp, count=layers),
    )
