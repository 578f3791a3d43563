"""A model's shape as its repository's `config.json` gives it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bouted.catalog.hf import read_hf
from bouted.catalog.load import load_catalog
from bouted.catalog.models import SlidingWindow
from bouted.catalog.parameters import layer_parameters
from bouted.catalog.precision import Precision
from bouted.errors import Misconfigured
from bouted.perf.weights import weight_bytes

CATALOG = load_catalog()
Json = dict[str, Any]


def a_config(
    architecture: str,
    layers: int,
    hidden: int,
    heads: int,
    kv: int,
    wide: int,
    vocab: int,
    most: int,
    **more: Any,
) -> Json:
    return {
        "architectures": [architecture],
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": wide,
        "vocab_size": vocab,
        "max_position_embeddings": most,
        "tie_word_embeddings": False,
        **more,
    }


LATENT = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}
GEMMA_VISION = {
    "hidden_size": 1152,
    "image_size": 896,
    "intermediate_size": 4304,
    "num_attention_heads": 16,
    "num_hidden_layers": 27,
    "patch_size": 14,
}
# fmt: off
CONFIGS: dict[str, Json] = {
    "llama-3.1-70b": a_config("LlamaForCausalLM", 80, 8192, 64, 8, 28672, 128256, 131072),
    "llama-3.2-1b": a_config(
        "LlamaForCausalLM", 16, 2048, 32, 8, 8192, 128256, 131072, head_dim=64, tie_word_embeddings=True),
    "mistral-7b-v0.1": a_config(
        "MistralForCausalLM", 32, 4096, 32, 8, 14336, 32000, 32768, sliding_window=4096),
    "mistral-small-24b": a_config(
        "MistralForCausalLM", 40, 5120, 32, 8, 32768, 131072, 32768, head_dim=128, sliding_window=None),
    "mixtral-8x7b": a_config(
        "MixtralForCausalLM", 32, 4096, 32, 8, 14336, 32000, 32768, num_local_experts=8,
        num_experts_per_tok=2, sliding_window=None),
    "qwen2.5-7b": a_config(
        "Qwen2ForCausalLM", 28, 3584, 28, 4, 18944, 152064, 32768, sliding_window=131072,
        max_window_layers=28, use_sliding_window=False),
    "qwen3-32b": a_config("Qwen3ForCausalLM", 64, 5120, 64, 8, 25600, 151936, 40960, head_dim=128),
    "qwen3-235b-a22b": a_config(
        "Qwen3MoeForCausalLM", 94, 4096, 64, 4, 12288, 151936, 40960, head_dim=128, num_experts=128,
        num_experts_per_tok=8, moe_intermediate_size=1536, decoder_sparse_step=1, mlp_only_layers=[]),
    "gpt-oss-120b": a_config(
        "GptOssForCausalLM", 36, 2880, 64, 8, 2880, 201088, 131072, head_dim=64, num_local_experts=128,
        num_experts_per_tok=4, sliding_window=128, layer_types=["sliding_attention", "full_attention"] * 18),
    "deepseek-r1": a_config(
        "DeepseekV3ForCausalLM", 61, 7168, 128, 128, 18432, 129280, 163840, n_routed_experts=256,
        n_shared_experts=1, num_experts_per_tok=8, moe_intermediate_size=2048, first_k_dense_replace=3,
        moe_layer_freq=1, q_lora_rank=1536, **LATENT),
    "deepseek-v2-lite": a_config(
        "DeepseekV2ForCausalLM", 27, 2048, 16, 16, 10944, 102400, 163840, n_routed_experts=64,
        n_shared_experts=2, num_experts_per_tok=6, moe_intermediate_size=1408, first_k_dense_replace=1,
        q_lora_rank=None, **LATENT),
    "gemma-2-9b": a_config(
        "Gemma2ForCausalLM", 42, 3584, 16, 8, 14336, 256000, 8192, head_dim=256, sliding_window=4096,
        tie_word_embeddings=None),
    "gemma-3-4b": {  # its file leaves the rest to the defaults
        "architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {
            "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024},
        "vision_config": GEMMA_VISION,
    },
    "phi-3-mini": a_config("Phi3ForCausalLM", 32, 3072, 32, 32, 8192, 32064, 4096, sliding_window=2047),
}
# fmt: on
LLAMA = CONFIGS["llama-3.1-70b"]


def a_folder(path: Path, config: Json) -> Path:
    (path / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("name", CONFIGS)
def test_a_family_is_read_as_the_catalog_has_it(tmp_path: Path, name: str) -> None:
    shipped = CATALOG.model(name)
    read = read_hf(a_folder(tmp_path, CONFIGS[name]), name).spec
    assert read.params_b == pytest.approx(shipped.params_b, rel=0.001)
    assert read.vision_b == pytest.approx(shipped.vision_b, abs=0.002)
    same = replace(
        read,
        hf_repo=shipped.hf_repo,
        source=shipped.source,
        params_b=shipped.params_b,
        vision_b=shipped.vision_b,
        published=shipped.published,
    )
    assert same == shipped


def test_the_file_itself_may_be_named_and_the_folder_names_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "our-llama"
    folder.mkdir()
    whole, file = read_hf(a_folder(folder, LLAMA)), read_hf(folder / "config.json")
    assert whole == file
    assert (whole.spec.name, whole.spec.hf_repo) == ("our-llama", str(folder))


def test_the_kind_of_each_layer_decides_where_it_is_given(tmp_path: Path) -> None:
    kinds = ["full_attention"] * 60 + ["sliding_attention"] * 20
    read = read_hf(a_folder(tmp_path, LLAMA | {"sliding_window": 512, "layer_types": kinds}))
    assert read.spec.window == SlidingWindow(tokens=512, layers=20)


@pytest.mark.parametrize(
    ("quantised", "precision"),
    [
        (None, Precision.BF16),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, Precision.FP8),
        ({"quant_method": "fbgemm_fp8"}, Precision.FP8),
        ({"quant_method": "mxfp4"}, Precision.MXFP4),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, Precision.INT4),
        ({"quant_method": "gptq", "bits": 4}, Precision.INT4),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, Precision.NVFP4),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, Precision.FP8),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
            },
            Precision.FP8,
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
            },
            Precision.INT4,
        ),
    ],
)
def test_the_precision_of_the_weight_files_is_read(
    tmp_path: Path, quantised: Json | None, precision: Precision
) -> None:
    read = read_hf(a_folder(tmp_path, LLAMA | {"quantization_config": quantised}))
    assert read.precision is read.spec.published is precision


def test_what_modelopt_writes_beside_the_file_counts(tmp_path: Path) -> None:
    beside = {"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(beside))
    assert read_hf(a_folder(tmp_path, LLAMA)).precision is Precision.NVFP4


def without(key: str) -> Json:
    return {name: value for name, value in LLAMA.items() if name != key}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (without("hidden_size"), "hidden_size is missing"),
        (without("architectures"), "architectures is missing"),
        (without("max_position_embeddings"), "max_position_embeddings is missing"),
        (LLAMA | {"num_hidden_layers": "80"}, "num_hidden_layers must be a whole number above 0, got '80'"),
        (LLAMA | {"tie_word_embeddings": 1}, "tie_word_embeddings must be true or false, got 1"),
        (LLAMA | {"architectures": ["BertModel"]}, "architecture BertModel is not supported .*known: Deep"),
        (LLAMA | {"architectures": ["Qwen3NextForCausalLM"]}, "architecture Qwen3NextForCausalLM is not"),
        (LLAMA | {"architectures": ["KimiLinearForCausalLM"]}, "architecture KimiLinearForCausalLM is not"),
        (LLAMA | {"layer_types": ["linear_attention"] * 80}, "layers of the kind linear_attention are not"),
        (
            CONFIGS["qwen3-235b-a22b"] | {"decoder_sparse_step": 2},
            "only one of 2 layers .decoder_sparse_step",
        ),
        (CONFIGS["qwen3-235b-a22b"] | {"mlp_only_layers": [5]}, "mlp_only_layers other than the first"),
        (CONFIGS["deepseek-r1"] | {"v_head_dim": None}, "v_head_dim is missing"),
        (CONFIGS["gemma-3-4b"] | {"text_config": {"hidden_size": 2560}}, "text_config.* is missing"),
        (
            CONFIGS["gemma-3-4b"] | {"vision_config": {"hidden_size": 9}},
            "vision_config.patch_size is missing",
        ),
        (
            LLAMA | {"quantization_config": {"quant_method": "bitsandbytes"}},
            "quantisation bitsandbytes is not",
        ),
        (LLAMA | {"quantization_config": {"quant_method": "gptq", "bits": 8}}, "8-bit gptq is not supported"),
        (LLAMA | {"quantization_config": {"quant_method": "modelopt", "quant_algo": "W4A8"}}, "W4A8 is not"),
    ],
)
def test_what_cannot_be_read_or_served_is_said_in_one_line(tmp_path: Path, config: Json, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        read_hf(a_folder(tmp_path, config))
    assert "\n" not in str(caught.value)
    assert caught.value.path == str(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "is not JSON"), ("[1]", "must hold an object"), (None, "cannot be read: No such")],
)
def test_a_file_that_is_no_config_is_refused_by_name(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(Misconfigured, match=f"config.json: {says}"):
        read_hf(tmp_path)


def test_a_checkpoint_that_leaves_attention_whole_is_known_by_its_list(tmp_path: Path) -> None:
    left_out = ["lm_head", "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"]
    method = {"quant_method": "fbgemm_fp8", "modules_to_not_convert": left_out}
    config = a_config("LlamaForCausalLM", 2, 4096, 32, 8, 14336, 128256, 8192, quantization_config=method)
    (tmp_path / "config.json").write_text(json.dumps(config))
    spec = read_hf(tmp_path).spec
    assert (spec.published, spec.attention_16bit) == (Precision.FP8, True)
    whole = replace(spec, attention_16bit=False)
    more = weight_bytes(spec, Precision.FP8) - weight_bytes(whole, Precision.FP8)
    layer = layer_parameters(spec, experts=False)
    assert more == spec.layers * (layer.queries + layer.keys_values)
