"""Lines of Google's price list are read for what they are, and added up only when they are all there."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from bouted.providers.gcp_compose import PriceTable, sold_on_demand
from bouted.providers.gcp_machines import Machine
from bouted.providers.gcp_skus import ListPrice, Part, read_sku
from google.cloud.billing_v1 import Sku

from bouted.market.offers import Confidence, Market
from bouted.market.quotes import Unread
from bouted.testing.gcp import a_gcp_cloud, a_sku

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SPOT = "Preemptible"


def sku(row: dict[str, Any]) -> Sku:
    read: Sku = Sku.from_json(json.dumps(row), ignore_unknown_fields=True)
    return read


def line(description: str, price: str, **more: Any) -> ListPrice:
    read = read_sku(sku(a_sku(description, price, **more)), NOW)
    assert isinstance(read, ListPrice)
    return read


def machine(name: str, accelerator: str, *, vcpus: int = 4, gib: str = "16", gpus: int = 1) -> Machine:
    return Machine(
        name=name,
        region="us-central1",
        zone="us-central1-a",
        vcpus=vcpus,
        memory_gib=Decimal(gib),
        accelerator=accelerator,
        gpus=gpus,
        ssd_partitions=0,
    )


@pytest.mark.parametrize(
    ("description", "usage", "part", "of"),
    [
        ("G2 Instance Core running in Americas", "OnDemand", Part.CORE, "g2"),
        ("Spot Preemptible G2 Instance Core running in Americas", SPOT, Part.CORE, "g2"),
        ("A3Plus Instance Core running in Iowa", "OnDemand", Part.CORE, "a3plus"),
        ("A3 Instance Core running in Iowa", "OnDemand", Part.CORE, "a3"),
        ("Nvidia Tesla A100 GPU running in Americas", "OnDemand", Part.GPU, "nvidia-tesla-a100"),
        ("Nvidia Tesla A100 80GB GPU running in Americas", "OnDemand", Part.GPU, "nvidia-a100-80gb"),
        (
            "Nvidia Tesla A100 GPU attached to Spot Preemptible VMs running in Americas",
            SPOT,
            Part.GPU,
            "nvidia-tesla-a100",
        ),
        (
            "Spot Preemptible Nvidia H100 80GB GPU running in Americas",
            SPOT,
            Part.GPU,
            "nvidia-h100-80gb",
        ),
        ("Nvidia H100 80GB Mega GPU running in Americas", "OnDemand", Part.GPU, "nvidia-h100-mega-80gb"),
        ("Nvidia H100 80GB Plus GPU running in Americas", "OnDemand", Part.GPU, "nvidia-h100-mega-80gb"),
        ("RTX 6000 96GB running in Iowa", "OnDemand", Part.GPU, "nvidia-rtx-pro-6000"),
        ("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Iowa", SPOT, Part.SLICE, "nvidia-b200"),
    ],
)
def test_a_line_is_known_by_its_text(description: str, usage: str, part: Part, of: str) -> None:
    read = line(description, "1.5", usage=usage)
    assert (read.part, read.of, read.price) == (part, of, Decimal("1.5"))
    assert read.market is (Market.SPOT if usage == SPOT else Market.ON_DEMAND)


@pytest.mark.parametrize(
    ("description", "usage"),
    [
        ("Commitment v1: Nvidia L4 GPU running in Americas for 1 Year", "Commit1Yr"),
        ("Nvidia L4 GPU running in Americas", "Commit3Yr"),
        ("DWS Defined Duration Nvidia H100 80GB GPU running in Americas", "OnDemand"),
        ("Nvidia H100 80GB GPU DWS Calendar Mode running in Americas", "OnDemand"),
        ("A3 Instance Core DWS running in Americas", "OnDemand"),
        ("G2 Sole Tenancy Instance Core running in Americas", "OnDemand"),
        ("A2 Instance Core Sole Tenancy Premium running in Americas", "OnDemand"),
        ("Reserved G2 Instance Core in Americas", "OnDemand"),
        ("G2 Custom Instance Core running in Americas", "OnDemand"),
        ("N1 Predefined Instance Core running in Americas", "OnDemand"),
        ("Nvidia L4 Virtual Workstation GPU running in Americas", "OnDemand"),
        ("A3Ultra Instance Core running in Americas", "OnDemand"),
        ("Network Internet Egress from Americas", "OnDemand"),
        ("", ""),
    ],
)
def test_a_line_of_another_contract_or_another_thing_is_passed_over(description: str, usage: str) -> None:
    assert read_sku(sku(a_sku(description, "1.5", usage=usage)), NOW) is None


TIERED = a_sku("Nvidia L4 GPU running in Americas", "0.56")
TIERED["pricingInfo"][0]["pricingExpression"]["tieredRates"] *= 2
NO_CURRENCY = a_sku("Nvidia L4 GPU running in Americas", "0.56")
del NO_CURRENCY["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]["currencyCode"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            a_sku("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Iowa", "3.1"),
            "the text says a spot price and usageType 'OnDemand'",
        ),
        (
            a_sku("Nvidia L4 GPU running in Americas", "0.2", usage=SPOT),
            "the text says an on-demand price and usageType 'Preemptible'",
        ),
        (
            a_sku("Nvidia L4 GPU running in Americas", "0.2", usage=""),
            "the text says an on-demand price and usageType ''",
        ),
        (
            a_sku("Nvidia L4 GPU running in Americas", "400", unit="mo"),
            "usageUnit is 'mo' and not 'h'",
        ),
        ({**TIERED, "pricingInfo": []}, "has no pricingInfo"),
        (TIERED, "has 2 tiered rates and not one from 0 on"),
        (NO_CURRENCY, "unitPrice has no currencyCode"),
    ],
)
def test_a_line_that_contradicts_itself_is_set_aside_in_its_own_words(
    row: dict[str, Any], reason: str
) -> None:
    read = read_sku(sku(row), NOW)
    assert isinstance(read, Unread)
    assert read.reason == reason
    assert ("description", row["description"]) in read.row


def test_units_and_nanos_make_an_exact_price() -> None:
    assert line("Nvidia L4 GPU running in Americas", "2.933908001").price == Decimal("2.933908001")


def test_the_newest_price_that_has_begun_is_the_one_in_force() -> None:
    row = a_sku("Nvidia L4 GPU running in Americas", "0.50", since="2026-01-01T00:00:00Z")
    newer = a_sku("Nvidia L4 GPU running in Americas", "0.56", since="2026-05-01T00:00:00Z")
    future = a_sku("Nvidia L4 GPU running in Americas", "0.60", since="2026-07-01T00:00:00Z")
    row["pricingInfo"] += [*newer["pricingInfo"], *future["pricingInfo"]]
    read = read_sku(sku(row), NOW)
    assert isinstance(read, ListPrice)
    assert (read.price, read.effective_at) == (Decimal("0.56"), datetime(2026, 5, 1, tzinfo=UTC))


def table(*more: ListPrice) -> PriceTable:
    read = [read_sku(sku(row), NOW) for row in a_gcp_cloud(NOW).skus]
    return PriceTable((*(one for one in read if isinstance(one, ListPrice)), *more))


def test_a_machine_costs_its_cores_its_memory_and_its_gpus() -> None:
    quote = table().quote(machine("g2-standard-4", "nvidia-l4"), Market.ON_DEMAND, NOW)
    assert quote is not None
    assert quote.price == Decimal("0.706784")
    assert (quote.id, quote.gpu) == ("gcp/us-central1/g2-standard-4/on_demand", "L4")
    assert quote.effective_at == datetime(2026, 5, 1, tzinfo=UTC)


def test_the_sum_for_a_big_gpu_is_its_list_price_and_shows_every_part() -> None:
    a2 = machine("a2-highgpu-1g", "nvidia-tesla-a100", vcpus=12, gib="85")
    quote = table().quote(a2, Market.ON_DEMAND, NOW)
    assert quote is not None
    assert quote.price == Decimal("3.673385")
    said = dict(quote.row)
    assert said["gpu"].startswith("1 x 2.933908000 USD, SKU Nvidia Tesla A100 GPU")
    assert {"core", "ram", "gpu", "machineType", "zone"} <= set(said)


def test_bundled_disks_are_priced_in_by_the_month_of_730_hours() -> None:
    parts = (
        line("Nvidia Tesla A100 80GB GPU running in Americas", "3"),
        line("SSD backed Local Storage", "0.073", unit="GiBy.mo"),
    )
    ultra = machine("a2-ultragpu-2g", "nvidia-a100-80gb", vcpus=1, gib="1", gpus=2)
    quote = table(*parts).quote(ultra, Market.ON_DEMAND, NOW)
    assert quote is not None
    assert quote.price == Decimal("0.031611") + Decimal("0.004237") + 6 + Decimal("0.073") * 750 / 730


def test_a3_mega_is_billed_as_a3_plus() -> None:
    parts = (
        line("A3Plus Instance Core running in Americas", "0.01"),
        line("A3Plus Instance Ram running in Americas", "0.001", unit="GiBy.h"),
        line("Nvidia H100 80GB Plus GPU running in Americas", "9"),
        line("SSD backed Local Storage", "0.073", unit="GiBy.mo"),
    )
    mega = machine("a3-megagpu-8g", "nvidia-h100-mega-80gb", vcpus=200, gib="1000", gpus=8)
    quote = table(*parts).quote(mega, Market.ON_DEMAND, NOW)
    assert quote is not None
    assert quote.price == 2 + 1 + 72 + Decimal("0.6")
    assert quote.gpu == "H100-80GB"


def test_a_part_that_is_missing_means_no_price() -> None:
    assert table().quote(machine("g4-standard-48", "nvidia-rtx-pro-6000"), Market.ON_DEMAND, NOW) is None
    assert table().quote(machine("g2-standard-4", "nvidia-l4"), Market.SPOT, NOW) is None
    assert table().quote(machine("a3-ultragpu-8g", "nvidia-h200-141gb", gpus=8), Market.SPOT, NOW) is None


def test_two_prices_for_one_part_mean_no_price_and_are_told() -> None:
    twice = table(line("Nvidia L4 GPU running in Americas", "0.28", sku="other"))
    assert twice.quote(machine("g2-standard-4", "nvidia-l4"), Market.ON_DEMAND, NOW) is None
    (unclear,) = twice.unclear
    assert "has two on_demand prices: " in unclear.reason
    assert "0.28" in unclear.reason


def test_a_spot_price_that_is_added_up_is_little_trusted_and_has_a_zone() -> None:
    b200 = line("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Iowa", "3.1", usage=SPOT)
    quote = table(b200).quote(machine("a4-highgpu-8g", "nvidia-b200", gpus=8), Market.SPOT, NOW)
    assert quote is not None
    assert quote.price == Decimal("24.8")
    assert quote.confidence is Confidence.LOW
    assert quote.zone == "us-central1-a"


@pytest.mark.parametrize(
    ("name", "accelerator", "gpus", "sold"),
    [
        ("g2-standard-4", "nvidia-l4", 1, True),
        ("a2-megagpu-16g", "nvidia-tesla-a100", 16, True),
        ("a3-highgpu-8g", "nvidia-h100-80gb", 8, True),
        ("a3-megagpu-8g", "nvidia-h100-mega-80gb", 8, True),
        ("a3-highgpu-4g", "nvidia-h100-80gb", 4, False),
        ("a3-ultragpu-8g", "nvidia-h200-141gb", 8, False),
        ("a4-highgpu-8g", "nvidia-b200", 8, False),
        ("a4x-highgpu-4g", "nvidia-gb200", 4, False),
    ],
)
def test_what_is_listed_and_not_sold_on_demand_is_left_out(
    name: str, accelerator: str, gpus: int, sold: bool
) -> None:
    assert sold_on_demand(machine(name, accelerator, gpus=gpus)) is sold
