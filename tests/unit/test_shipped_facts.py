"""The shipped facts, read as plain files: enough of them, sourced, and not known to be wrong."""

import csv
import re
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from bouted.catalog.load import load_catalog
from bouted.catalog.parameters import parameters

DATA = Path(__file__).resolve().parents[2] / "bouted" / "catalog" / "data"
# fmt: off
COLUMNS = [
    "provider", "region", "zone", "instance_type", "gpu", "gpu_count", "market", "usd_per_hour",
    "obtainable", "hazard_per_hour", "observed_on", "confidence", "source",
]
ASKED_GPUS = {
    "T4", "V100-16GB", "V100-32GB", "A10G", "A10", "L4", "A40", "A6000", "RTX3090", "RTX4090", "RTX5090",
    "L40S", "RTXPRO6000", "A100-40GB", "A100-80GB", "H100-80GB", "H200", "B200", "MI300X",
}
PUBLISHED_PARAMETERS = {  # of the weight files; DeepSeek's without the layer that guesses further tokens
    "llama-2-7b": 6_738_415_616, "llama-2-70b": 68_976_648_192, "llama-3.1-8b": 8_030_261_248,
    "llama-3-8b": 8_030_261_248, "llama-3-70b": 70_553_706_496,
    "llama-3.1-70b": 70_553_706_496, "llama-3.1-405b": 405_853_388_800,
    "llama-3.1-405b-fp8": 405_853_388_800, "llama-3.2-1b": 1_235_814_400,
    "llama-3.2-3b": 3_212_749_824, "llama-3.3-70b": 70_553_706_496, "qwen2-7b": 7_615_616_512,
    "qwen2-72b": 72_706_203_648, "qwen2.5-7b": 7_615_616_512, "qwen2.5-14b": 14_770_033_664,
    "qwen2.5-32b": 32_763_876_352, "qwen2.5-72b": 72_706_203_648, "qwen3-0.6b": 596_049_920,
    "qwen3-1.7b": 1_720_574_976, "qwen3-4b": 4_022_468_096, "qwen3-8b": 8_190_735_360,
    "qwen3-14b": 14_768_307_200, "qwen3-32b": 32_762_123_264, "qwen3-30b-a3b": 30_532_122_624,
    "qwen3-235b-a22b": 235_093_634_560, "mistral-7b-v0.1": 7_241_732_096, "mistral-7b": 7_248_023_552,
    "mistral-small-24b": 23_572_403_200, "mixtral-8x7b": 46_702_792_704, "mixtral-8x22b": 140_630_071_296,
    "gpt-oss-20b": 20_914_757_184, "gpt-oss-120b": 116_829_156_672, "deepseek-v2-lite": 15_706_484_224,
    "deepseek-v3": 671_026_419_200, "deepseek-r1": 671_026_419_200, "gemma-2-9b": 9_241_705_984,
    "gemma-2-27b": 27_227_128_320, "gemma-3-4b": 4_300_079_472, "gemma-3-12b": 12_187_325_040,
    "gemma-3-27b": 27_432_406_640, "phi-3-mini": 3_821_079_552, "phi-4": 14_659_507_200,
}
# fmt: on
UNDATED = "undated (2025-26)"
NO_LICENCE = (
    "skypilot_schema_catalog",
    "aws_ondemand_2025-11",
    "skypilot_aws_g6_slice",
    "stored catalogue",
)

Row = dict[str, str]


def offers() -> list[Row]:
    with (DATA / "prices.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mapping(name: str) -> dict[str, dict[str, Any]]:
    loaded = yaml.safe_load((DATA / name).read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def dataset(row: Row) -> str:
    return row["source"].split(",")[0]


def place_and_type(row: Row) -> tuple[str, str, str]:
    return row["provider"], row["region"], row["instance_type"]


def test_the_price_file_has_exactly_the_agreed_columns() -> None:
    with (DATA / "prices.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == COLUMNS
    assert all(None not in row and None not in row.values() for row in offers())


def test_there_are_enough_offers_over_gpus_providers_markets_and_sizes() -> None:
    rows = offers()
    assert len(rows) >= 80
    assert len({row["gpu"] for row in rows}) >= 12
    assert {row["provider"] for row in rows} == {"aws", "gcp", "azure", "lambda", "runpod", "vast"}
    assert {row["market"] for row in rows} == {"spot", "on_demand"}
    assert {row["gpu_count"] for row in rows} == {"1", "2", "4", "8"}


def test_every_offered_gpu_is_a_known_gpu() -> None:
    assert {row["gpu"] for row in offers()} <= set(mapping("gpus.yaml"))


def test_an_instance_type_always_holds_the_same_gpus() -> None:
    held = defaultdict(set)
    for row in offers():
        held[row["provider"], row["instance_type"]].add((row["gpu"], row["gpu_count"]))
    assert [key for key, value in held.items() if len(value) > 1] == []


def test_prices_are_positive_decimals_and_plausible_per_gpu() -> None:
    for row in offers():
        usd = Decimal(row["usd_per_hour"])
        assert usd > 0, row
        assert Decimal("0.10") <= usd / int(row["gpu_count"]) <= 20, row


def test_capacity_and_hazard_are_in_range() -> None:
    for row in offers():
        assert 1 <= int(row["obtainable"]) <= 8, row
        hazard = float(row["hazard_per_hour"])
        assert hazard == 0.0005 if row["market"] == "on_demand" else 0.02 <= hazard <= 0.10, row


def test_no_offer_is_listed_twice() -> None:
    keys = Counter(
        (*place_and_type(row), row["zone"], row["market"])  # the zone, where there is one
        for row in offers()
    )
    assert [key for key, count in keys.items() if count > 1] == []


def test_spot_costs_less_than_the_same_instance_on_demand_in_the_region() -> None:
    rows = offers()
    on_demand = {
        place_and_type(row): Decimal(row["usd_per_hour"]) for row in rows if row["market"] == "on_demand"
    }
    pairs = [row for row in rows if row["market"] == "spot" and place_and_type(row) in on_demand]
    assert len(pairs) >= 20
    assert [row for row in pairs if Decimal(row["usd_per_hour"]) >= on_demand[place_and_type(row)]] == []


def test_marketplaces_and_lambda_ship_no_spot_price() -> None:
    assert not [
        row for row in offers() if row["provider"] in ("lambda", "runpod", "vast") and row["market"] == "spot"
    ]


@pytest.mark.parametrize(("gpu", "wrong"), [("H100-80GB", "33.61"), ("H200", "36.60"), ("H200", "38.74")])
def test_a_known_wrong_gcp_price_stays_out(gpu: str, wrong: str) -> None:
    gcp = [row for row in offers() if row["provider"] == "gcp" and row["gpu"] == gpu]
    assert [row for row in gcp if abs(Decimal(row["usd_per_hour"]) - Decimal(wrong)) < Decimal("0.5")] == []


def test_gcp_sells_h100_in_part_nodes_only_as_spot() -> None:
    parts = {"a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g"}
    assert {row["market"] for row in offers() if row["instance_type"] in parts} == {"spot"}


def test_every_row_has_a_source_a_date_and_a_confidence() -> None:
    for row in offers():
        assert row["source"], row
        assert row["confidence"] in ("high", "medium", "low"), row
        if row["observed_on"] == UNDATED:
            assert row["source"].endswith(", undated"), row
        else:
            observed = date.fromisoformat(row["observed_on"])
            assert row["source"].endswith(f", {observed.isoformat()}"), row
            assert date(2025, 1, 1) <= observed <= date(2026, 11, 22), row


def test_an_undated_price_has_low_confidence() -> None:
    undated = [row for row in offers() if row["observed_on"] == UNDATED]
    assert undated
    assert {row["confidence"] for row in undated} == {"low"}


def test_no_set_without_a_licence_gave_more_than_twenty_rows() -> None:
    used = Counter(dataset(row) for row in offers())
    assert set(used) <= {*NO_LICENCE, "gcp_gpu_price_history"}
    assert {name: used[name] for name in NO_LICENCE if used[name] > 20} == {}


def test_every_source_is_explained_in_the_readme() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert [name for name in {dataset(row) for row in offers()} if name not in text] == []


def test_the_gpus_asked_for_are_there_with_every_field() -> None:
    gpus = mapping("gpus.yaml")
    assert set(gpus) >= ASKED_GPUS
    needed = {
        "memory_gib", "bandwidth_gb_per_s", "bf16_tflops", "fp8_tflops", "fp4_tflops",
        "compute_capability", "link", "link_gb_per_s",
        "watts", "max_fast_group", "source",
    }  # fmt: skip
    for name, gpu in gpus.items():
        assert needed <= set(gpu) <= needed | {"note"}, name


def test_gpu_figures_are_in_range() -> None:
    for name, gpu in mapping("gpus.yaml").items():
        assert gpu["link"] in ("nvlink", "pcie"), name
        assert gpu["max_fast_group"] == (8 if gpu["link"] == "nvlink" else 4), name
        assert 70 <= gpu["watts"] <= 1500, name
        assert gpu["fp8_tflops"] is None or gpu["fp8_tflops"] > 1.9 * gpu["bf16_tflops"], name
        assert gpu["link_gb_per_s"] < gpu["bandwidth_gb_per_s"], name


def test_the_models_asked_for_are_there() -> None:
    assert set(mapping("models.yaml")) == set(PUBLISHED_PARAMETERS)


@pytest.mark.parametrize("name", sorted(PUBLISHED_PARAMETERS))
def test_a_models_shape_adds_up_to_its_published_parameters(name: str) -> None:
    model = load_catalog().model(name)
    published = PUBLISHED_PARAMETERS[name]
    assert model.params_b == pytest.approx(published / 1e9, abs=0.001)
    assert parameters(model) == pytest.approx(published, rel=0.001)
    assert model.heads % model.kv_heads == 0


def test_egress_of_every_cloud_with_prices_is_known_sourced_and_dated() -> None:
    rows = mapping("egress.yaml")
    known = {(row["origin"].split("/")[0], row["crosses"]) for row in rows.values()}
    clouds = {row["provider"] for row in offers()}
    assert known >= {(cloud, crosses) for cloud in clouds for crosses in ("clouds", "regions")}
    for name, row in rows.items():
        assert isinstance(row["usd_per_gib"], str), name  # text stays exact
        assert 0 <= Decimal(row["usd_per_gib"]) <= Decimal("0.2"), name
        assert row["basis"] in ("listed", "assumed"), name
        assert date(2019, 1, 1) <= row["observed_on"] <= date(2026, 12, 31), name
        assert row["source"], name
        assert row["basis"] == "listed" or row.get("note"), name


def test_every_model_names_its_repository_and_source() -> None:
    for name, model in mapping("models.yaml").items():
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", model["hf_repo"]), name
        assert model["source"], name
