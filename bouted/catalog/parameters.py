"""How many parameters a model has, part by part, counted from its shape. Norms and biases are left out."""

from dataclasses import dataclass

from bouted.catalog.models import LatentAttention, ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerParameters:
    """One layer's parameters by what becomes of them.

    Tensor parallelism divides `queries`, `keys_values`, `lift` and `feed_forward` over its GPUs and copies
    `down` and `router` to each. `lift` (MLA's way back to keys and values) and `router` stay 16-bit.
    """

    queries: int
    keys_values: int
    down: int
    lift: int
    feed_forward: int
    router: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.queries + self.keys_values + self.down + self.lift + self.feed_forward + self.router


def embedding_parameters(model: ModelSpec) -> int:
    """Those of the embedding; the output head has as many again unless it is tied."""
    return model.vocab * model.hidden


def layer_parameters(model: ModelSpec, *, experts: bool) -> LayerParameters:
    """Those of one layer: with `experts`, or of a dense one."""
    if model.latent is not None:
        queries, keys_values, down, lift = _latent(model, model.latent)
    else:
        queries = 2 * model.hidden * model.heads * model.head_dim
        keys_values = 2 * model.hidden * model.kv_heads * model.head_dim
        down = lift = 0
    width, router = model.intermediate, 0
    if experts and model.experts is not None:
        width = model.experts.count * model.experts.intermediate + model.experts.shared_intermediate
        router = model.experts.count * model.hidden
    return LayerParameters(
        queries=queries,
        keys_values=keys_values,
        down=down,
        lift=lift,
        feed_forward=3 * model.hidden * width,
        router=router,
    )


def parameters(model: ModelSpec) -> int:
    """All parameters, image encoder included."""
    dense = dense_layers(model)
    mixed = model.layers - dense
    layers = dense * layer_parameters(model, experts=False).total
    layers += mixed * layer_parameters(model, experts=True).total if mixed else 0
    heads = 1 if model.tied else 2
    return layers + heads * embedding_parameters(model) + round(model.vision_b * 1e9)


def dense_layers(model: ModelSpec) -> int:
    """Layers without experts."""
    return model.layers if model.experts is None else model.experts.dense_layers


def _latent(model: ModelSpec, latent: LatentAttention) -> tuple[int, int, int, int]:
    per_head = latent.nope_dim + latent.rope_dim
    queries = (latent.query_rank or model.hidden) * model.heads * per_head
    queries += model.heads * latent.value_dim * model.hidden
    down = model.hidden * (latent.query_rank + latent.kv_rank + latent.rope_dim)
    lift = latent.kv_rank * model.heads * (latent.nope_dim + latent.value_dim)
    return queries, 0, down, lift
