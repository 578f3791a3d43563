from pathlib import Path

import pytest

from bouted.catalog.load import load_catalog, load_egress
from bouted.catalog.models import Experts, LatentAttention, SlidingWindow
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


def test_a_folder_of_ones_own_is_read(tmp_path: Path) -> None:
    catalog = load_catalog(folder(tmp_path))
    assert catalog.gpu("H9").memory_gib == 80
    assert catalog.model("tiny-1b").kv_heads == 4


def test_a_name_nearly_right_gets_a_suggestion() -> None:
    with pytest.raises(Misconfigured, match=r"no GPU 'h100'.*did you mean H100-80GB"):
        load_catalog().gpu("h100")
    with pytest.raises(Misconfigured, match=r"no model 'llama-3.1-70'.*did you mean llama-3.1-70b"):
        load_catalog().model("llama-3.1-70")


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


NESTED = MODEL.replace(
    "  source:",
    "  tied: true\n"
    "  experts: {count: 8, per_token: 2, intermediate: 64}\n"
    "  latent:\n    kv_rank: 512\n    rope_dim: 64\n    nope_dim: 128\n    value_dim: 128\n"
    "  window: {tokens: 1024, layers: 8}\n"
    "  source:",
)


def test_facts_within_facts_are_read(tmp_path: Path) -> None:
    model = load_catalog(folder(tmp_path, models=NESTED)).model("tiny-1b")
    assert model.experts == Experts(count=8, per_token=2, intermediate=64)
    assert model.latent == LatentAttention(kv_rank=512, rope_dim=64, nope_dim=128, value_dim=128)
    assert model.window == SlidingWindow(tokens=1024, layers=8)
    assert model.tied


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("count: 8", "count: 0", r"models.yaml: line 13: tiny-1b.experts.count: .* above 0"),
        ("count: 8", "counts: 8", r"line 13: tiny-1b.experts.counts: unknown field .*count"),
        ("count: 8, ", "", r"line 13: tiny-1b.experts.count: is missing"),
        ("rope_dim: 64", "rope_dim: wide", r"line 16: tiny-1b.latent.rope_dim: .*'wide'"),
        ("{tokens: 1024, layers: 8}", "4096", r"line 19: tiny-1b.window: .*4096"),
        ("tied: true", "tied: 1.5", r"line 12: tiny-1b.tied: .*1.5"),
        ("layers: 16", "layers: true", r"line 4: tiny-1b.layers: must be a number above 0, got True"),
    ],
)
def test_a_wrong_fact_within_a_fact_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    with pytest.raises(Misconfigured, match=says):
        load_catalog(folder(tmp_path, models=NESTED.replace(old, new)))


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
