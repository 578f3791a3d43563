from pathlib import Path

import pytest

from bouted.catalog.load import load_catalog, load_egress
from bouted.errors import Misconfigured

GPU = """H9:
  memory_gib: 80
  bandwidth_gb_per_s: 3000
  bf16_tflops: 900
  fp8_tflops: null
  fp4_tflops: null
  compute_capability: 9.0
  watts: 700
  link: nvlink
  link_gb_per_s: 300
  max_fast_group: 8
  source: a datasheet
"""
MODEL = """tiny-1b:
  hf_repo: someone/tiny
  params_b: 1.0
  layers: 16
  hidden: 2048
  heads: 16
  kv_heads: 4
  head_dim: 128
  intermediate: 8192
  vocab: 32000
  max_context: 8192
  source: config.json
"""


def folder(path: Path, gpus: str = GPU, models: str = MODEL) -> Path:
    (path / "gpus.yaml").write_text(gpus)
    (path / "models.yaml").write_text(models)
    return path


def test_the_shipped_catalog_knows_three_sizes_of_model_and_ten_gpu_types() -> None:
    catalog = load_catalog()
    assert len(catalog.gpus) >= 10
    assert min(model.params_b for model in catalog.models) < 10
    assert any(30 <= model.params_b < 40 for model in catalog.models)
    assert max(model.params_b for model in catalog.models) >= 70


def test_the_shipped_models_have_the_parameters_their_shape_gives() -> None:
    for model in load_catalog().models:
        attention = model.hidden * model.head_dim * (2 * model.heads + 2 * model.kv_heads)
        layer = attention + 3 * model.hidden * model.intermediate
        total_b = (model.layers * layer + 2 * model.vocab * model.hidden) / 1e9
        assert total_b == pytest.approx(model.params_b, rel=0.02), model.name


def test_a_folder_of_ones_own_is_read(tmp_path: Path) -> None:
    catalog = load_catalog(folder(tmp_path))
    assert catalog.gpu("H9").memory_gib == 80
    assert catalog.model("tiny-1b").kv_bytes_per_token() == 2 * 16 * 4 * 128 * 2


def test_a_name_nearly_right_gets_a_suggestion() -> None:
    with pytest.raises(Misconfigured, match=r"no GPU 'h100'.*did you mean H100-80GB"):
        load_catalog().gpu("h100")
    with pytest.raises(Misconfigured, match=r"no model 'llama-70b'.*llama-3.1-70b"):
        load_catalog().model("llama-70b")


@pytest.mark.parametrize(
    ("gpus", "says"),
    [
        (GPU.replace("memory_gib: 80", "memory_gib: eighty"), r"gpus.yaml: line 2: H9.memory_gib: .*eighty"),
        (GPU.replace("memory_gib: 80", "memory_gib: -1"), r"line 2: H9.memory_gib: .* above 0"),
        (GPU.replace("memory_gib: 80", "memory_gib: .inf"), r"line 2: H9.memory_gib: .* above 0"),
        (GPU.replace("memory_gib", "memory_gb"), r"line 2: H9.memory_gb: unknown field .*memory_gib"),
        (GPU.replace("  source: a datasheet\n", ""), r"line 1: H9.source: is missing"),
        (GPU.replace("nvlink", "wet string"), r"line 9: H9.link: .*'wet string'"),
        (GPU + GPU, r"line 13: H9 appears twice"),
        ("H9: [1, 2", r"gpus.yaml: line 1: not YAML"),
        ("H9: 3", r"line 1: H9: must be a mapping"),
        ("", r"gpus.yaml: must map names to their facts"),
    ],
)
def test_a_corrupt_file_is_refused_with_its_line_and_field(tmp_path: Path, gpus: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        load_catalog(folder(tmp_path, gpus))
    assert "\n" not in str(caught.value)


EGRESS = """\
here-to-there:
  origin: here/*
  crosses: clouds
  usd_per_gib: "0.0875"
  basis: listed
  observed_on: 2026-01-01
  source: a price list
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (EGRESS.replace("clouds", "seas"), r"egress.yaml: line 3: here-to-there.crosses: .*'seas'"),
        (EGRESS.replace("0.0875", "-0.01"), r"line 4: here-to-there.usd_per_gib: .*'-0.01'"),
        (EGRESS.replace("0.0875", "nan"), r"line 4: here-to-there.usd_per_gib: .*'nan'"),
        (EGRESS.replace("2026-01-01", "lately"), r"line 6: here-to-there.observed_on: .*'lately'"),
        (EGRESS.replace("  source: a price list\n", ""), r"line 1: here-to-there.source: is missing"),
    ],
)
def test_a_wrong_price_of_moving_data_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "egress.yaml").write_text(text)
    with pytest.raises(Misconfigured, match=says):
        load_egress(tmp_path)


def test_a_list_price_is_exact_and_holds_wherever_the_data_goes(tmp_path: Path) -> None:
    (tmp_path / "egress.yaml").write_text(EGRESS)
    (fact,) = load_egress(tmp_path)
    rule = fact.rule()
    assert (str(rule.usd_per_gib), rule.origin, rule.target) == ("0.0875", "here/*", "*")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"gpus.yaml: cannot be read"):
        load_catalog(tmp_path)
