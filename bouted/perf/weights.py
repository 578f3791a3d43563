"""Bytes of weights, by what is quantised and what tensor and pipeline parallelism divide."""

from bouted.catalog.models import ModelSpec
from bouted.catalog.parameters import dense_layers, embedding_parameters, layer_parameters
from bouted.catalog.precision import Precision

HALF_BYTES = 2.0
"""Bytes of a weight that is not quantised."""


def weight_bytes(model: ModelSpec, precision: Precision) -> float:
    """Bytes of all weights, once."""
    dense = dense_layers(model)
    layers = dense * _layer_bytes(model, precision, 1, experts=False)
    layers += (model.layers - dense) * _layer_bytes(model, precision, 1, experts=True)
    return layers + (1 if model.tied else 2) * _embedding_bytes(model) + _vision_bytes(model)


def gpu_weight_bytes(model: ModelSpec, precision: Precision, *, tp: int, pp: int) -> float:
    """Bytes of weights on each GPU of the largest pipeline stage.

    Keys and values repeat where `tp` is above the KV heads; routers and MLA's ways down are on every GPU. An
    end stage has one of embedding and head; the image encoder stands with the embedding.
    """
    here = stage_layers(model, pp)
    mixed = min(here, model.layers - dense_layers(model))
    layers = mixed * _layer_bytes(model, precision, tp, experts=True)
    layers += (here - mixed) * _layer_bytes(model, precision, tp, experts=False)
    ends = 2 if pp == 1 and not model.tied else 1
    return layers + (ends * _embedding_bytes(model) + _vision_bytes(model)) / tp


def stage_layers(model: ModelSpec, pp: int) -> int:
    """Layers of the largest stage; engines split unevenly where they must."""
    return -(-model.layers // pp)


def _layer_bytes(model: ModelSpec, precision: Precision, tp: int, *, experts: bool) -> float:
    """Bytes of one layer on each GPU of a tensor-parallel group."""
    part = layer_parameters(model, experts=experts)
    attention, feed_forward = _attention_bytes(model, precision), precision.element_bytes
    if precision is Precision.MXFP4 and not experts:
        feed_forward = HALF_BYTES
    copies = max(1.0, tp / model.kv_heads)
    divided = attention * (part.queries + copies * part.keys_values)
    divided += HALF_BYTES * part.lift + feed_forward * part.feed_forward
    return divided / tp + attention * part.down + HALF_BYTES * part.router


def _attention_bytes(model: ModelSpec, precision: Precision) -> float:
    """Bytes of one weight around attention: 16-bit in gpt-oss, and in DeepSeek's NVFP4 checkpoints."""
    latent_nvfp4 = precision is Precision.NVFP4 and model.latent is not None
    whole = model.attention_16bit or latent_nvfp4 or precision is Precision.MXFP4
    return HALF_BYTES if whole else precision.element_bytes


def _embedding_bytes(model: ModelSpec) -> float:
    return HALF_BYTES * embedding_parameters(model)


def _vision_bytes(model: ModelSpec) -> float:
    return HALF_BYTES * model.vision_b * 1e9
