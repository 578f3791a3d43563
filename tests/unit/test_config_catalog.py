"""Models and GPU types that the config brings along: read with it, refused with it, and in its catalog."""

import json
from pathlib import Path
from typing import Any

import pytest

from bouted.catalog.gpus import GpuSpec, Link
from bouted.catalog.load import load_catalog
from bouted.config.catalog import catalog_of
from bouted.config.hardware import GpuTypeSettings
from bouted.config.load import load_config
from bouted.config.problems import ConfigErrors
from bouted.config.schema import Config

SHIPPED = load_catalog()
MODEL: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 16,
    "hidden_size": 2048,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
TEXT = """\
version: 1
deployment: prod
budget: {usd_per_hour: 25}
targets: {e2e_p95_s: 12}
workload: {rate_per_s: 4, prompt_tokens: 300, output_tokens: 120}
models:
  - {name: small, spec: models/ours}
  - {name: large, spec: llama-3.1-70b}
routing: {synthetic: true}
gpus:
  - {name: L40, memory_gib: 48, bandwidth_gb_per_s: 864, bf16_tflops: 181, fp8_tflops: 362, watts: 300,
     compute_capability: 8.9, link: pcie, link_gb_per_s: 19, max_fast_group: 4}
supply: {gpus: {allow: ["L40*"]}, owned: [{name: r1, gpu: L40, gpu_count: 4}]}
"""


def a_deployment(path: Path, text: str = TEXT, **model: Any) -> Path:
    folder = path / "models" / "ours"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(MODEL | model))
    (path / "bouted.yaml").write_text(text)
    return path / "bouted.yaml"


def loaded(file: Path) -> Config:
    return load_config(
        file,
        known_models=tuple(model.name for model in SHIPPED.models),
        known_gpus=tuple(gpu.name for gpu in SHIPPED.gpus),
    )


def told(file: Path) -> str:
    with pytest.raises(ConfigErrors) as caught:
        loaded(file)
    return str(caught.value)


@pytest.mark.parametrize("spec", ["models/ours", "./models/ours/", "models/ours/config.json"])
def test_a_model_may_be_a_folder_beside_the_config(tmp_path: Path, spec: str) -> None:
    config = loaded(a_deployment(tmp_path, TEXT.replace("models/ours", spec)))
    found = catalog_of(config, SHIPPED).model(config.models[0].spec)
    assert found.params_b == pytest.approx(1.498)
    assert found.hf_repo == str(tmp_path / "models" / "ours")
    assert catalog_of(config, SHIPPED).model("llama-3.1-70b") == SHIPPED.model("llama-3.1-70b")


def test_a_gpu_type_of_the_config_is_known_to_all_of_it_and_takes_a_shipped_ones_place(
    tmp_path: Path,
) -> None:
    file = a_deployment(tmp_path, TEXT + "  \n")
    found = catalog_of(loaded(file), SHIPPED).gpu("L40")
    assert (found.memory_gib, found.link, found.fp4_tflops) == (48.0, Link.PCIE, None)
    file.write_text(TEXT.replace("name: L40,", "name: L40S,").replace("gpu: L40,", "gpu: L40S,"))
    assert catalog_of(loaded(file), SHIPPED).gpu("L40S").memory_gib == 48.0


def test_a_gpu_type_has_the_fields_that_the_catalog_has() -> None:
    assert set(GpuTypeSettings.model_fields) == set(GpuSpec.__dataclass_fields__)


def test_a_folder_that_cannot_be_read_is_refused_with_the_config(tmp_path: Path) -> None:
    file = a_deployment(tmp_path, architectures=["MambaForCausalLM"])
    message = told(file)
    assert "bouted.yaml:7 models[0].spec: " in message
    assert "config.json: architecture MambaForCausalLM is not supported" in message


def test_weights_are_served_in_the_precision_they_are_published_in(tmp_path: Path) -> None:
    awq = {"quant_method": "awq", "bits": 4}
    file = a_deployment(tmp_path, quantization_config=awq)
    assert "models[0].precision: is bf16, but the weights in " in told(file)
    assert told(file).endswith("are int4 (write int4)")
    file.write_text(TEXT.replace("models/ours}", "models/ours, precision: int4}"))
    assert loaded(file).models[0].precision == "int4"


def test_an_engine_may_make_fp8_of_16_bit_weights_and_nothing_else(tmp_path: Path) -> None:
    file = a_deployment(tmp_path, TEXT.replace("models/ours}", "models/ours, precision: fp8}"))
    assert loaded(file).models[0].precision == "fp8"
    file.write_text(TEXT.replace("models/ours}", "models/ours, precision: nvfp4}"))
    assert told(file).endswith("are bf16 (write bf16)")


def test_the_folder_is_not_read_where_the_catalog_is_not_known(tmp_path: Path) -> None:
    file = a_deployment(tmp_path, hidden_size=None)
    assert load_config(file).models[0].spec == str(tmp_path / "models" / "ours")
