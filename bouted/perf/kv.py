"""Bytes of KV cache that a request holds."""

from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import KvPrecision
from bouted.perf.operators import kv_width
from bouted.perf.weights import stage_layers


def request_kv_bytes(model: ModelSpec, kv: KvPrecision, tokens: int, *, tp: int = 1, pp: int = 1) -> float:
    """Bytes that one request of `tokens` holds on each GPU of the largest pipeline stage.

    A layer with a sliding window holds at most its window. KV heads repeat where `tp` is above them, and
    MLA's vectors are on every GPU of the group.
    """
    layers = stage_layers(model, pp)
    held = layers * tokens
    if model.window is not None:
        windowed = model.window.layers * layers // model.layers
        held -= windowed * max(0, tokens - model.window.tokens)
    return float(held * kv_width(model, tp) * kv.element_bytes)
