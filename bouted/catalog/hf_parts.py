"""What only some models have in their `config.json`: experts, MLA, sliding windows, an image encoder."""

from bouted.catalog.hf_fields import Fields
from bouted.catalog.models import Experts, LatentAttention, ModelSpec, SlidingWindow

LAYER_KINDS = {"full_attention", "sliding_attention"}


def experts_of(fields: Fields, layers: int) -> Experts | None:
    """The mixture of experts; None in dense models."""
    counts = ("num_experts", "num_local_experts", "n_routed_experts")
    if not fields.has(*counts):
        return None
    for step in ("decoder_sparse_step", "moe_layer_freq"):
        every = fields.count(step, default=1)
        if every != 1:
            raise fields.wrong(f"experts in only one of {every} layers ({step}) are not supported")
    width = fields.count("moe_intermediate_size", "intermediate_size")
    shared = fields.count("n_shared_experts") * width if fields.has("n_shared_experts") else 0
    if fields.has("shared_expert_intermediate_size"):
        shared = fields.count("shared_expert_intermediate_size")
    return Experts(
        count=fields.count(*counts),
        per_token=fields.count("num_experts_per_tok", "experts_per_token"),
        intermediate=width,
        shared_intermediate=shared,
        dense_layers=_dense_layers(fields, layers),
    )


def latent_of(fields: Fields) -> LatentAttention | None:
    """Multi-head latent attention; None elsewhere."""
    if not fields.has("kv_lora_rank"):
        return None
    return LatentAttention(
        kv_rank=fields.count("kv_lora_rank"),
        rope_dim=fields.count("qk_rope_head_dim"),
        nope_dim=fields.count("qk_nope_head_dim"),
        value_dim=fields.count("v_head_dim"),
        query_rank=fields.count("q_lora_rank") if fields.has("q_lora_rank") else 0,
    )


def window_of(fields: Fields, architecture: str, layers: int, max_context: int) -> SlidingWindow | None:
    """The sliding window; None where every layer attends to everything."""
    kinds = fields.values.get("layer_types") or []
    for kind in kinds:
        if kind not in LAYER_KINDS:
            raise fields.wrong(f"layers of the kind {kind} are not supported")
    if not fields.has("sliding_window") or not fields.flag("use_sliding_window", default=True):
        return None
    tokens = fields.count("sliding_window")
    windowed = kinds.count("sliding_attention") if kinds else _windowed(fields, architecture, layers)
    return SlidingWindow(tokens=tokens, layers=windowed) if windowed and tokens < max_context else None


def vision_parameters(vision: Fields, spec: ModelSpec) -> int:
    """Parameters of an image encoder of plain transformer layers, and of its way into the model."""
    hidden, patch = vision.count("hidden_size"), vision.count("patch_size")
    layer = 4 * hidden**2 + 2 * hidden * vision.count("intermediate_size")
    positions = (vision.count("image_size") // patch) ** 2
    edges = hidden * (3 * patch**2 + positions + spec.hidden)
    return vision.count("num_hidden_layers") * layer + edges


def _dense_layers(fields: Fields, layers: int) -> int:
    named = fields.values.get("mlp_only_layers") or []
    if sorted(named) != list(range(len(named))) or len(named) >= layers:
        raise fields.wrong("mlp_only_layers other than the first are not supported")
    return fields.count("first_k_dense_replace") if fields.has("first_k_dense_replace") else len(named)


def _windowed(fields: Fields, architecture: str, layers: int) -> int:
    """Layers with a window, in files that do not list the kind of each."""
    if architecture == "Gemma2ForCausalLM":
        return (layers + 1) // 2
    if architecture.startswith("Gemma3"):
        return layers - layers // fields.count("sliding_window_pattern", default=6)
    if architecture.startswith("Qwen"):
        return max(0, layers - fields.count("max_window_layers", default=layers))
    return layers
