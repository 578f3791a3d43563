"""Reads a model's shape from the `config.json` that every Hugging Face repository has."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bouted.catalog.hf_fields import Fields
from bouted.catalog.hf_parts import experts_of, latent_of, vision_parameters, window_of
from bouted.catalog.hf_precision import keeps_attention, published_precision
from bouted.catalog.models import ModelSpec
from bouted.catalog.parameters import parameters
from bouted.catalog.precision import Precision
from bouted.errors import Misconfigured

GEMMA3 = {"Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"}
GEMMA = {"Gemma2ForCausalLM", *GEMMA3}
ARCHITECTURES = {
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "MixtralForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "Qwen3MoeForCausalLM",
    "GptOssForCausalLM",
    "DeepseekV2ForCausalLM",
    "DeepseekV3ForCausalLM",
    "MiniMaxM2ForCausalLM",
    "Phi3ForCausalLM",
    *GEMMA,
}
GEMMA3_DEFAULTS = {
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 262208,
    "max_position_embeddings": 131072,
}
"""What Gemma 3's own files leave out (`Gemma3TextConfig`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """A model's shape, and the precision that its weight files are in."""

    spec: ModelSpec
    precision: Precision


def read_hf(path: Path, name: str = "") -> PublishedModel:
    """The model in the folder `path` or described by the `config.json` at `path`.

    It is called `name`, or as its folder. Misconfigured with the field that is missing, or with the
    architecture or quantisation that bouted does not know.
    """
    file = path / "config.json" if path.is_dir() else path
    whole = _json(file)
    top = Fields(file=str(file), values=whole)
    architecture = _architecture(top)
    fields = top.inner("text_config") if isinstance(whole.get("text_config"), dict) else top
    if architecture in GEMMA3:
        fields = replace(fields, values=GEMMA3_DEFAULTS | fields.values)
    spec = _spec(fields, architecture, name or file.parent.name, file)
    if "vision_config" in whole:
        spec = replace(spec, vision_b=round(vision_parameters(top.inner("vision_config"), spec) / 1e9, 3))
    precision = published_precision(top, _beside(file))
    spec = replace(
        spec,
        params_b=round(parameters(spec) / 1e9, 3),
        published=precision,
        attention_16bit=keeps_attention(top) and precision is not Precision.MXFP4,
    )
    return PublishedModel(spec=spec, precision=precision)


def _architecture(top: Fields) -> str:
    names = top.values.get("architectures")
    if not isinstance(names, list) or not names:
        raise top.wrong("architectures is missing")
    if names[0] in ARCHITECTURES:
        return str(names[0])
    known = ", ".join(sorted(name.removesuffix("ForCausalLM") for name in ARCHITECTURES - GEMMA3))
    raise top.wrong(f"architecture {names[0]} is not supported", f"known: {known}, Gemma3")


def _spec(fields: Fields, architecture: str, name: str, file: Path) -> ModelSpec:
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    latent, layers = latent_of(fields), fields.count("num_hidden_layers")
    max_context = fields.count("max_position_embeddings")
    return ModelSpec(
        name=name,
        hf_repo=str(file.parent),
        params_b=0.0,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=fields.count("num_key_value_heads", default=heads),
        head_dim=latent.value_dim if latent else fields.count("head_dim", default=hidden // heads),
        intermediate=fields.count("intermediate_size"),
        vocab=fields.count("vocab_size"),
        max_context=max_context,
        source=str(file),
        tied=fields.flag("tie_word_embeddings", default=architecture in GEMMA),
        sinks=architecture == "GptOssForCausalLM",
        needs_bf16=architecture in GEMMA,
        experts=experts_of(fields, layers),
        latent=latent,
        window=window_of(fields, architecture, layers, max_context),
    )


def _beside(file: Path) -> Fields | None:
    """What modelopt writes beside `config.json` about quantisation; None where it wrote nothing."""
    beside = file.with_name("hf_quant_config.json")
    return Fields(file=str(beside), values=_json(beside)) if beside.is_file() else None


def _json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(str(file), f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Misconfigured(str(file), f"is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise Misconfigured(str(file), "must hold an object, like a repository's config.json")
    return values
