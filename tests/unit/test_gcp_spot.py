"""What Google's advice says of Spot VMs: the price in force, odds of preemption, how many can be had."""

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bouted.providers.gcp_machines import Machine, read_machine
from bouted.providers.gcp_options import GcpOptions
from bouted.providers.gcp_outlook import Outlook, read_outlooks
from bouted.providers.gcp_quota import quotas_of
from bouted.providers.gcp_spot import SpotHistory, read_history
from google.cloud import compute_v1

from bouted.market.offers import Market
from bouted.market.quotes import Unread
from bouted.testing.gcp import a_gcp_cloud, a_history, a_machine_type

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MACHINE = Machine(
    name="g2-standard-4",
    region="us-central1",
    zone="us-central1-a",
    vcpus=4,
    memory_gib=Decimal(16),
    accelerator="nvidia-l4",
    gpus=1,
    ssd_partitions=0,
)


def history(said: dict[str, Any], run_h: float = 24.0) -> SpotHistory:
    parsed = compute_v1.CapacityHistoryResponse.from_json(json.dumps(said), ignore_unknown_fields=True)
    return read_history(parsed, MACHINE, NOW, run_h)


def test_the_price_in_force_is_the_one_that_began_last() -> None:
    read = history(a_history((NOW - 9 * DAY, "0.3"), (NOW - DAY, "0.25"), (NOW + DAY, "0.2")))
    spell = read.in_force(NOW)
    assert spell is not None
    quote = read.quote(spell, observed_at=NOW)
    assert (quote.price, quote.currency, quote.effective_at) == (Decimal("0.25"), "USD", NOW - DAY)
    assert quote.id == "gcp/us-central1-a/g2-standard-4/spot"


def test_a_price_that_ended_days_ago_is_over_and_one_that_ended_just_now_is_not() -> None:
    def ended(days: float) -> SpotHistory:
        said = a_history((NOW - 9 * DAY, "0.3"))
        said["priceHistory"][0]["interval"]["endTime"] = (NOW - timedelta(days=days)).isoformat()
        return history(said)

    assert ended(3).in_force(NOW) is None
    assert ended(0.5).in_force(NOW) is not None


@pytest.mark.parametrize("price", ["0", "-1", "123456789.000000001"])
def test_an_absurd_price_is_passed_on_as_it_was_said(price: str) -> None:
    (spell,) = history(a_history((NOW - DAY, price))).spells
    assert spell.price == Decimal(price)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"interval": {"startTime": "2026-05-01T00:00:00Z"}}, "listPrice has no price and currency"),
        (
            {"interval": {"startTime": "2026-05-01T00:00:00Z"}, "listPrice": {"units": "1"}},
            "listPrice has no price and currency",
        ),
        (
            {"interval": {"startTime": "yesterday"}, "listPrice": {"currencyCode": "USD", "units": "1"}},
            "'yesterday' is no time: Invalid isoformat string: 'yesterday'",
        ),
        (
            {
                "interval": {"startTime": "2026-05-01T00:00:00"},
                "listPrice": {"currencyCode": "USD", "units": "1"},
            },
            "'2026-05-01T00:00:00' is no time: it has no time zone",
        ),
        (
            {
                "interval": {"startTime": "2026-05-02T00:00:00Z", "endTime": "2026-05-01T00:00:00Z"},
                "listPrice": {"currencyCode": "USD", "units": "1"},
            },
            "ends at 2026-05-01T00:00:00Z before it starts at 2026-05-02T00:00:00Z",
        ),
    ],
)
def test_a_record_that_makes_no_sense_is_set_aside_and_the_others_stay(
    record: dict[str, Any], reason: str
) -> None:
    said = a_history((NOW - DAY, "0.3"))
    said["priceHistory"].append(record)
    read = history(said)
    assert [spell.price for spell in read.spells] == [Decimal("0.3")]
    assert [unread.reason for unread in read.unread] == [reason]
    assert ("machineType", "g2-standard-4") in read.unread[0].row


def test_an_answer_for_another_machine_is_not_taken_for_this_one() -> None:
    said = {"machineType": "g2-standard-8", "location": "zones/us-central1-a"}
    read = history({**a_history((NOW - DAY, "0.3")), **said})
    assert read.spells == ()
    assert [unread.reason for unread in read.unread] == ["is for g2-standard-8 in us-central1-a"]


def test_the_share_that_was_preempted_is_spread_over_the_run_that_is_assumed() -> None:
    read = history(a_history((NOW - DAY, "0.3"), rate=0.21), run_h=24.0)
    assert read.hazard_per_hour == pytest.approx(1 - math.exp(-0.21 / 24))


def test_only_the_newest_week_of_preemption_counts_by_time() -> None:
    def record(start: int, end: int, rate: float) -> dict[str, Any]:
        span = {"startTime": (NOW - start * DAY).isoformat(), "endTime": (NOW - end * DAY).isoformat()}
        return {"interval": span, "preemptionRate": rate}

    said = {"preemptionHistory": [record(30, 20, 1.0), record(8, 6, 0.7), record(6, 0, 0.0)]}
    assert history(said, run_h=1.0).hazard_per_hour == pytest.approx(1 - math.exp(-0.7 / 7))


@pytest.mark.parametrize("rate", [-0.1, 1.5, "NaN"])
def test_a_rate_that_is_no_share_gives_no_odds(rate: Any) -> None:
    said = a_history((NOW - DAY, "0.3"), rate=0.2)
    said["preemptionHistory"][0]["preemptionRate"] = rate
    read = history(said)
    assert read.hazard_per_hour is None
    assert [unread.reason for unread in read.unread] == ["preemptionRate is no share between 0 and 1"]


def test_no_record_of_preemption_means_unknown_odds() -> None:
    assert history(a_history((NOW - DAY, "0.3"))).hazard_per_hour is None


def outlooks(scores: dict[str, Any], count: int = 4) -> dict[str, Outlook]:
    shard = {"zone": "zones/us-central1-a", "machineType": "g2-standard-4", "instanceCount": count}
    said = {"recommendations": [{"scores": scores, "shards": [shard]}]}
    parsed = compute_v1.CapacityAdviceResponse.from_json(json.dumps(said))
    return read_outlooks(parsed, "g2-standard-4", ("us-central1-a", "us-central1-b"))


def test_the_score_times_the_share_of_a_zone_can_be_had_and_other_zones_are_unknown() -> None:
    read = outlooks({"obtainability": 0.7, "estimatedUptime": "14400s"})
    assert set(read) == {"us-central1-a"}
    assert read["us-central1-a"].obtainable == 2
    assert read["us-central1-a"].hazard_per_hour == pytest.approx(1 - 0.5**0.25)


@pytest.mark.parametrize("uptime", ["", "soon", "14400", "-5s", "1e9s", "0s", "nans", "²s"])
def test_an_uptime_that_is_no_duration_gives_no_odds(uptime: str) -> None:
    assert outlooks({"obtainability": 1.0, "estimatedUptime": uptime})["us-central1-a"] == Outlook(
        obtainable=4, hazard_per_hour=None
    )


@pytest.mark.parametrize("scores", [{}, {"obtainability": 7}, {"obtainability": "NaN"}])
def test_a_score_that_is_none_says_nothing(scores: dict[str, Any]) -> None:
    assert outlooks(scores)["us-central1-a"].obtainable is None


def test_no_recommendation_says_nothing() -> None:
    assert read_outlooks(compute_v1.CapacityAdviceResponse(), "g2-standard-4", ("us-central1-a",)) == {}


def machine_type(row: dict[str, Any], zone: str = "us-central1-a") -> Machine | Unread | None:
    parsed = compute_v1.MachineType.from_json(json.dumps(row), ignore_unknown_fields=True)
    return read_machine(parsed, zone, GcpOptions())


@pytest.mark.parametrize(
    ("accelerator", "gpu"),
    [
        ("nvidia-l4", "L4"),
        ("nvidia-tesla-a100", "A100-40GB"),
        ("nvidia-a100-80gb", "A100-80GB"),
        ("nvidia-h100-80gb", "H100-80GB"),
        ("nvidia-h100-mega-80gb", "H100-80GB"),
        ("nvidia-h200-141gb", "H200"),
        ("nvidia-b200", "B200"),
        ("nvidia-rtx-pro-6000", "RTXPRO6000"),
    ],
)
def test_a_machine_type_is_read_with_the_catalogs_name_of_its_gpu(accelerator: str, gpu: str) -> None:
    row = a_machine_type("a3-highgpu-8g", vcpus=208, memory_mb=1916928, accelerator=accelerator, gpus=8)
    read = machine_type(row)
    assert isinstance(read, Machine)
    assert (read.gpu, read.gpus, read.memory_gib, read.region) == (gpu, 8, Decimal(1872), "us-central1")


G2 = a_machine_type("g2-standard-4", vcpus=4, memory_mb=16384, accelerator="nvidia-l4")


@pytest.mark.parametrize(
    "row",
    [
        {**G2, "name": "n2-standard-4"},
        {**G2, "name": "g22-standard-4"},
        {**G2, "name": "g4-standard-6"},
        {**G2, "deprecated": {"state": "DEPRECATED"}},
    ],
)
def test_a_machine_type_that_is_not_wanted_or_leaves_or_has_a_share_of_a_gpu_is_passed_over(
    row: dict[str, Any],
) -> None:
    assert machine_type(row) is None


def test_a_zone_of_another_region_is_passed_over() -> None:
    assert machine_type(G2, "asia-east1-a") is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"accelerators": []}, "has no GPU of its own, or more than one kind"),
        (
            {"accelerators": [{"guestAcceleratorType": "nvidia-l4", "guestAcceleratorCount": 0}]},
            "guestAcceleratorCount 0 is no number of GPUs",
        ),
        ({"guestCpus": 0}, "guestCpus 0 and 16 GiB are no machine"),
        ({"memoryMb": -1024}, "guestCpus 4 and -1 GiB are no machine"),
    ],
)
def test_a_machine_type_that_cannot_be_is_set_aside(change: dict[str, Any], reason: str) -> None:
    read = machine_type({**G2, **change})
    assert isinstance(read, Unread)
    assert read.reason == reason


def test_quotas_are_per_gpu_family_and_market_without_commitments() -> None:
    rows = a_gcp_cloud(NOW).regions
    regions = tuple(compute_v1.Region.from_json(json.dumps(row)) for row in rows)
    found = quotas_of(regions)
    assert [(one.family, one.market, one.limit, one.used, one.unit) for one in found] == [
        ("L4", Market.ON_DEMAND, 8.0, 1.0, "GPU"),
        ("A100-80GB", Market.SPOT, 16.0, 0.0, "GPU"),
    ]
