"""Rows in SkyPilot's catalog schema, read as quotes."""

import random
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import process_time

import pytest
from bouted.providers.pricefile import PriceFile
from bouted.providers.skycsv import looks_like_sky, read_sky, read_sky_rows
from bouted.providers.skygcp import FIXED
from hypothesis import given, settings
from hypothesis import strategies as st

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Answer, Quote

NOW = datetime(2026, 4, 28, 4, 38, 43, tzinfo=UTC)
COLUMNS = [
    *("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo"),
    *("Price", "SpotPrice", "Region", "AvailabilityZone"),
]
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "skypilot_schema_catalog"


def sky(text: str) -> dict[str, str]:
    """A row; cells as in COLUMNS without the two about the host and GpuInfo."""
    kind, gpu, count, price, spot, region, zone = text.split(",")
    return dict(zip(COLUMNS, [kind, gpu, count, "8.0", "64.0", "", price, spot, region, zone], strict=True))


def read(cloud: str, *rows: str) -> Answer:
    return read_sky_rows([sky(row) for row in rows], cloud=cloud, source="s", observed_at=NOW)


def prices(answer: Answer) -> dict[str, str]:
    return {quote.id: str(quote.price) for quote in answer.quotes}


def test_a_row_is_an_on_demand_quote_and_a_spot_quote_in_its_own_words() -> None:
    on_demand, spot = read("aws", "g6.4xlarge,L4,1.0,1.3232,0.6637,us-east-1,use1-az1").quotes
    assert on_demand == Quote(
        provider="aws",
        region="us-east-1",
        zone="use1-az1",
        instance_type="g6.4xlarge",
        gpu="L4",
        gpu_count=1,
        market=Market.ON_DEMAND,
        price=Decimal("1.3232"),
        currency="USD",
        source="s",
        observed_at=NOW,
        effective_at=None,
        confidence=Confidence.MEDIUM,
        obtainable=None,
        hazard_per_hour=None,
        row=tuple(sky("g6.4xlarge,L4,1.0,1.3232,0.6637,us-east-1,use1-az1").items()),
    )
    assert (spot.market, spot.price) == (Market.SPOT, Decimal("0.6637"))


@pytest.mark.parametrize(
    ("cloud", "row", "expected"),
    [
        ("azure", "NC,T4,1,0.5,,eastus,", {"azure/eastus/NC/on_demand": "0.5"}),
        ("azure", "NC,T4,1,0.0,0.0,eastus,",
         {"azure/eastus/NC/on_demand": "0.0", "azure/eastus/NC/spot": "0.0"}),
        ("vast", "1x-L40S,L40S,1,0.6,0.00,FR,", {"vast/FR/1x-L40S/on_demand": "0.6"}),
        ("vast", "1x-L40S,L40S,1,0.6,0.30,FR,",
         {"vast/FR/1x-L40S/on_demand": "0.6", "vast/FR/1x-L40S/spot": "0.30"}),
        ("lambda", "gpu_1x_a10,A10,1,-5,,eu,", {"lambda/eu/gpu_1x_a10/on_demand": "-5"}),
        ("aws", "m6i.large,,,0.096,0.04,us-east-1,use1-az1", {}),
    ],
)  # fmt: skip
def test_a_price_is_quoted_as_it_stands_and_a_blank_one_is_not_offered(
    cloud: str, row: str, expected: dict[str, str]
) -> None:
    answer = read(cloud, row)
    assert prices(answer) == expected
    assert answer.unread == ()


@pytest.mark.parametrize(
    ("row", "gpu", "count"),
    [
        ("p4d.24xlarge,A100,8.0,1,,r,", "A100-40GB", 8),
        ("p4de.24xlarge,A100-80GB,8.0,1,,r,", "A100-80GB", 8),
        ("Standard_NC24ads_A100_v4,A100-80GB,1.0,1,,r,", "A100-80GB-PCIE", 1),
        ("Standard_ND96amsr_A100_v4,A100-80GB,8.0,1,,r,", "A100-80GB", 8),
        ("Standard_NC80adis_H100_v5,H100,2.0,1,,r,", "H100-NVL", 2),
        ("Standard_NCC40ads_H100_v5,H100,1.0,1,,r,", "H100-NVL", 1),
        ("Standard_ND96isr_H100_v5,H100,8.0,1,,r,", "H100-80GB", 8),
        ("gpu_1x_h100_pcie,H100,1.0,1,,r,", "H100-PCIE", 1),
        ("2x-A100_PCIE-32-65536,A100,2.0,1,,r,", "A100-40GB-PCIE", 2),
        ("1x-RTX_PRO_6000_WS-32-65536,RTXPRO6000WS,1.0,1,,r,", "RTXPRO6000", 1),
        ("p3.2xlarge,V100,1.0,1,,r,", "V100-16GB", 1),
        ("Standard_ND40rs_v2,V100-32GB,8.0,1,,r,", "V100-32GB", 8),
        ("Standard_NV12ads_A10_v5,A10,0.333,1,,r,", "A10-0.333", 1),
        ("g6f.large,L4,0.125,1,,r,", "L4-0.125", 1),
        ("x,Mystery 9000,1,1,,r,", "Mystery-9000", 1),
    ],
)
def test_gpus_have_the_catalogs_names_and_a_slice_is_a_kind_of_its_own(
    row: str, gpu: str, count: int
) -> None:
    (quote,) = read("azure", row).quotes
    assert (quote.gpu, quote.gpu_count) == (gpu, count)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,L4,1,cheap,,r,", "Price 'cheap' is no number"),
        ("x,L4,1,1.0,inf,r,", "SpotPrice 'inf' is no usable number"),
        ("x,L4,many,1.0,,r,", "AcceleratorCount 'many' is no number"),
        ("x,L4,,1.0,,r,", "AcceleratorCount '' is no number"),
        ("x,L4,0,1.0,,r,", "AcceleratorCount '0' is no count of GPUs"),
        ("x,L4,-1,1.0,,r,", "AcceleratorCount '-1' is no count of GPUs"),
        ("x,L4,2.5,1.0,,r,", "AcceleratorCount '2.5' is no count of GPUs"),
        ("x,L4,1,1.0,,,", "no Region"),
        (",L4,1,1.0,,r,", "no InstanceType"),
        ("x\x1b[2J,L4,1,1.0,,r,", "holds a control character"),
    ],
)
def test_a_row_that_cannot_be_read_is_kept_with_its_reason(row: str, reason: str) -> None:
    answer = read("aws", row, "g6.xlarge,L4,1,0.8,,us-east-1,")
    assert prices(answer) == {"aws/us-east-1/g6.xlarge/on_demand": "0.8"}
    (unread,) = answer.unread
    assert unread.reason == reason
    assert [column for column, _ in unread.row] == COLUMNS
    assert all(value.isprintable() for _, value in unread.row)


def test_of_rows_that_disagree_the_first_holds_and_equal_ones_are_one() -> None:
    same = "x,L4,1,1.0,0.5,r,z"
    answer = read("aws", same, same, "x,L4,1,2.0,0.7,r,z")
    assert prices(answer) == {"aws/z/x/on_demand": "1.0", "aws/z/x/spot": "0.5"}
    (unread,) = answer.unread
    assert "again at 2.0" in unread.reason
    assert dict(unread.row)["Price"] == "2.0"


@pytest.mark.parametrize(("spot", "expected"), [("0.1", {"azure/eastus/NC/spot": "0.1"}), ("NaN", {})])
@pytest.mark.parametrize("blank", ["", "nan", "NaN"])
def test_a_row_without_an_on_demand_price_is_told_and_its_spot_price_is_quoted(
    blank: str, spot: str, expected: dict[str, str]
) -> None:
    answer = read("azure", f"NC,T4,1,{blank},{spot},eastus,")
    assert prices(answer) == expected
    assert [unread.reason for unread in answer.unread] == ["no on-demand price"]


GCP = (
    "g2-standard-24,,,0.9,0.2,us-central1,us-central1-a",
    ",L4,1,0.56,0.223,us-central1,us-central1-a",
    ",L4,2,1.12,0.446,us-central1,us-central1-a",
    ",L4,2,9.99,9.99,us-central1,us-central1-b",
)


def test_a_gcp_instance_is_its_machine_and_its_gpus_in_the_same_zone() -> None:
    found = read_sky([sky(row) for row in GCP], cloud="gcp", source="s", observed_at=NOW)
    assert prices(found.answer) == {
        "gcp/us-central1-a/g2-standard-24/on_demand": "2.02",
        "gcp/us-central1-a/g2-standard-24/spot": "0.646",
    }
    quote = found.answer.quotes[0]
    assert (quote.gpu, quote.gpu_count, quote.region) == ("L4", 2, "us-central1")
    assert quote.row[: len(COLUMNS)] == tuple(sky(GCP[2]).items())
    machine = dict(quote.row[len(COLUMNS) :])
    assert (machine["machine.InstanceType"], machine["machine.Price"]) == ("g2-standard-24", "0.9")
    assert (found.parts.machines, found.parts.accelerators) == (0, 2)


def test_a_gcp_machine_that_costs_nothing_is_a_part_like_any_other() -> None:
    answer = read("gcp", "a4-highgpu-8g,,0,0.0,0.0,asia,asia-b", ",B200,8.0,64.44,39.128,asia,asia-b")
    assert prices(answer) == {
        "gcp/asia-b/a4-highgpu-8g/on_demand": "64.44",
        "gcp/asia-b/a4-highgpu-8g/spot": "39.128",
    }


def test_a_gcp_market_is_offered_only_where_both_parts_are() -> None:
    answer = read("gcp", "a2-highgpu-1g,,,0.739,0.37,r,z", ",A100,1,1.7,,r,z")
    assert prices(answer) == {"gcp/z/a2-highgpu-1g/on_demand": "2.439"}


def test_gpus_that_hang_on_any_machine_are_parts_and_no_faults() -> None:
    rows = [
        ",T4,1,0.35,0.1,r,z",
        ",V100,8,19.84,5.9,r,z",
        "n1-standard-4,,,0.19,0.04,r,z",
        "a3-edgegpu-8g,,,9,2,r,z",
        "TPU-VM,tpu-v5p-8,1,8.4,,r,z",
        ",tpu-v6e-8,1,8.4,,r,z",
    ]
    found = read_sky([sky(row) for row in rows], cloud="gcp", source="s", observed_at=NOW)
    assert found.answer == Answer(quotes=())
    assert (found.parts.machines, found.parts.accelerators) == (2, 4)


def test_gpus_of_one_zone_at_two_prices_are_a_fault_and_the_first_holds() -> None:
    answer = read("gcp", *GCP[:1], GCP[2], GCP[2], GCP[2].replace("1.12", "3.0"))
    assert prices(answer)["gcp/us-central1-a/g2-standard-24/on_demand"] == "2.02"
    assert [unread.reason for unread in answer.unread] == [
        "the same GPUs in the same zone again; the first row holds"
    ]


def test_every_machine_type_with_gpus_of_its_own_is_known_with_the_right_count() -> None:
    assert FIXED["a2-megagpu-16g"] == ("A100", 16)
    assert FIXED["a2-ultragpu-4g"] == ("A100-80GB", 4)
    assert FIXED["a3-highgpu-2g"] == ("H100", 2)
    assert FIXED["a3-megagpu-8g"] == ("H100-MEGA", 8)
    assert FIXED["a3-ultragpu-8g"] == ("H200", 8)
    assert {vcpus: FIXED[f"g2-standard-{vcpus}"][1] for vcpus in (4, 8, 12, 16, 24, 32, 48, 96)} == {
        4: 1,
        8: 1,
        12: 1,
        16: 1,
        24: 2,
        32: 1,
        48: 4,
        96: 8,
    }
    assert FIXED["g4-standard-384"] == ("RTXPRO6000", 8)


def test_the_schema_is_known_by_its_columns_in_any_order() -> None:
    assert looks_like_sky(COLUMNS)
    assert looks_like_sky(["snapshot_utc", "cloud", *reversed(COLUMNS), "Arch"])
    assert not looks_like_sky(["provider", "region", "usd_per_hour"])
    assert not looks_like_sky([column for column in COLUMNS if column != "Price"])


CELL = st.sampled_from(
    [
        "",
        "L4",
        "H100",
        "A100-80GB",
        "a3-highgpu-8g",
        "g2-standard-4",
        "8",
        "1.0",
        "0.333",
        "nan",
        "0",
        "-1",
        "1e999",
    ]
) | st.text(max_size=5)


@given(
    cloud=st.sampled_from(["aws", "gcp", "vast"]),
    rows=st.lists(st.dictionaries(st.sampled_from(COLUMNS), CELL), max_size=8),
)
@settings(max_examples=300)
def test_whatever_the_rows_hold_every_price_stands_in_them(cloud: str, rows: list[dict[str, str]]) -> None:
    answer = read_sky_rows(rows, cloud=cloud, source="s", observed_at=NOW)
    assert len({quote.id for quote in answer.quotes}) == len(answer.quotes)
    for quote in answer.quotes:
        said = dict(quote.row)
        column = "Price" if quote.market is Market.ON_DEMAND else "SpotPrice"
        parts = [said[key] for key in (column, f"machine.{column}") if key in said]
        assert quote.price == sum(map(Decimal, parts))
        assert quote.gpu_count >= 1


def test_a_snapshot_of_1500_rows_is_read_in_under_a_tenth_of_a_second() -> None:
    chosen = random.Random(0)
    rows = [
        sky(
            f"type{n},L4,{chosen.choice((1, 2, 4))}.0,{chosen.random()},{chosen.random()},r{n % 30},z{n % 90}"
        )
        for n in range(1500)
    ]
    spent = []
    for _ in range(3):
        began = process_time()
        assert len(read_sky_rows(rows, cloud="aws", source="s", observed_at=NOW).quotes) == 3000
        spent.append(process_time() - began)
    assert min(spent) < 0.1


@pytest.mark.skipif(not SHARED.is_dir(), reason="no measured data beside this checkout")
def test_a_real_month_of_catalogs_is_read_but_for_rows_without_a_price() -> None:
    source = PriceFile(SHARED / "gpu_catalog_snapshots_2026-04.parquet")
    looks = list(source.feed(datetime(2026, 11, 1, tzinfo=UTC)))
    assert [at for at, _ in looks] == sorted({at for at, _ in looks})
    unread = [unread.reason for _, answer in looks for unread in answer.unread]
    assert unread == ["no on-demand price"] * 13
    counts = Counter((quote.provider, quote.market) for _, answer in looks for quote in answer.quotes)
    assert counts["vast", Market.SPOT] == 0
    assert counts["vast", Market.ON_DEMAND] == 64
    assert counts["azure", Market.ON_DEMAND] == 40_063  # 13 of 40,076 rows have no price
    newest = source.fetch(datetime(2026, 11, 1, tzinfo=UTC))
    free = [quote for quote in newest.quotes if quote.price <= 0]
    assert free == []
