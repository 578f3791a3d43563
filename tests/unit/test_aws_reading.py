"""AWS's answers, row by row: what becomes a quote, what is passed over, what is named as unreadable."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bouted.providers.aws_client import permission_of
from bouted.providers.aws_listed import Listed, PriceList, quotes_of
from bouted.providers.aws_notices import queue_region, read_notice
from bouted.providers.aws_options import AwsOptions
from bouted.providers.aws_read import moment_of, price_of, row_of
from bouted.providers.aws_specs import Spec, family_gpu, read_specs
from bouted.providers.aws_spot import SpotPage, in_force, names_zones_only, read_spot

from bouted.errors import Misconfigured
from bouted.market.notices import NoticeKind

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
L4 = Spec(instance_type="g6.xlarge", gpu="L4", gpu_count=1)
PAGE = SpotPage(
    source="aws", region="us-east-1", specs={"g6.xlarge": L4}, zone_ids={"us-east-1b": "use1-az1"}, now=NOW
)
ROW = {
    "AvailabilityZone": "us-east-1a",
    "AvailabilityZoneId": "use1-az6",
    "InstanceType": "g6.xlarge",
    "ProductDescription": "Linux/UNIX",
    "SpotPrice": "0.310000",
    "Timestamp": "2026-05-31T10:00:00.000Z",
}


def a_type(name: str, gpu: str, count: int, mib: int, **more: object) -> dict[str, object]:
    gpus = [{"Name": gpu, "Manufacturer": "NVIDIA", "Count": count, "MemoryInfo": {"SizeInMiB": mib}}]
    return {"InstanceType": name, "GpuInfo": {"Gpus": gpus}, **more}


@pytest.mark.parametrize(
    ("said", "gpu", "count"),
    [
        (a_type("p5.48xlarge", "H100", 8, 81920), "H100-80GB", 8),
        (a_type("p4d.24xlarge", "A100", 8, 40960), "A100-40GB", 8),
        (a_type("p4de.24xlarge", "A100", 8, 81920), "A100-80GB", 8),
        (a_type("p3dn.24xlarge", "V100", 8, 32768), "V100-32GB", 8),
        (a_type("g6e.xlarge", "L40S", 1, 45776), "L40S", 1),
        (a_type("g7e.2xlarge", "RTX PRO Server 6000", 1, 98304), "RTXPRO6000", 1),
        (a_type("p6-b300.48xlarge", "B300", 8, 275040), "B300", 8),
    ],
)
def test_gpus_are_named_as_in_the_catalog_by_their_memory(
    said: dict[str, object], gpu: str, count: int
) -> None:
    specs, unread = read_specs([said], "aws")
    assert unread == ()
    assert [(spec.gpu, spec.gpu_count) for spec in specs.values()] == [(gpu, count)]


@pytest.mark.parametrize(
    "said",
    [
        {"InstanceType": "m7i.large"},
        {
            "InstanceType": "inf2.xlarge",
            "NeuronInfo": {"NeuronDevices": [{"Count": 1}]},
        },
        a_type("g6f.large", "L4", 0, 2861),
    ],
    ids=["no accelerator", "Neuron", "an eighth of a GPU"],
)
def test_types_without_whole_gpus_are_passed_over(said: dict[str, object]) -> None:
    assert read_specs([said], "aws") == ({}, ())


@pytest.mark.parametrize(
    "said",
    [
        {},
        "g6.xlarge",
        {"InstanceType": "g6.xlarge", "GpuInfo": {}},
        {"InstanceType": "g6.xlarge", "GpuInfo": {"Gpus": [{"Name": "L4"}]}},
        {"InstanceType": "g6.xlarge", "GpuInfo": {"Gpus": [{}, {}]}},
        a_type("g6.xlarge", "", 1, 22888),
        a_type("g6.xlarge", "L4", -1, 22888),
        a_type("g6.xlarge", "L4", 1, 0),
    ],
)
def test_a_type_that_cannot_be_read_is_named(said: object) -> None:
    specs, unread = read_specs([said], "aws")
    assert specs == {}
    assert unread[0].reason
    assert unread[0].row


def test_a_spot_row_is_read_exactly_by_zone_id() -> None:
    ((quote,), unread) = read_spot([ROW], PAGE)
    assert unread == ()
    assert quote.id == "aws/use1-az6/g6.xlarge/spot"
    assert str(quote.price) == "0.310000"
    assert quote.effective_at == datetime(2026, 5, 31, 10, 0, tzinfo=UTC)
    assert (quote.obtainable, quote.hazard_per_hour) == (None, None)
    assert dict(quote.row) == ROW


def test_a_zone_that_is_only_named_gets_the_accounts_own_id() -> None:
    named = {key: value for key, value in ROW.items() if key != "AvailabilityZoneId"}
    assert names_zones_only([ROW, named])
    assert not names_zones_only([ROW])
    ((quote,), _) = read_spot([{**named, "AvailabilityZone": "us-east-1b"}], PAGE)
    assert quote.zone == "use1-az1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"SpotPrice": ""}, "no price"),
        ({"SpotPrice": "NaN"}, "no price"),
        ({"SpotPrice": "1_0.5"}, "no price"),
        ({"SpotPrice": 0.31}, "no price"),
        ({"Timestamp": "yesterday"}, "no time"),
        ({"Timestamp": ""}, "no time"),
        ({"AvailabilityZoneId": "", "AvailabilityZone": "us-east-1z"}, "no zone id"),
        ({"AvailabilityZoneId": "not an id"}, "no zone id"),
        ({"ProductDescription": "Windows"}, "a price for 'Windows'"),
        ({"ProductDescription": "Linux/UNIX (Amazon VPC)"}, "a price for"),
        ({"InstanceType": ""}, "no instance type"),
    ],
)
def test_a_spot_row_that_cannot_be_read_is_named(change: dict[str, object], reason: str) -> None:
    quotes, (unread,) = read_spot([{**ROW, **change}], PAGE)
    assert quotes == ()
    assert unread.reason.startswith(reason)
    assert unread.row


def test_a_price_of_nothing_is_passed_on_as_aws_said_it() -> None:
    ((quote,), _) = read_spot([{**ROW, "SpotPrice": "0.000000"}], PAGE)
    assert quote.price == 0


def test_of_several_changes_the_newest_is_in_force_since_aws_says_so_also_by_a_clock_ahead_of_ours() -> None:
    ahead = {**ROW, "SpotPrice": "0.5", "Timestamp": "2026-06-01T12:00:30Z"}
    quotes, _ = read_spot([ahead, ROW], PAGE)
    (held,) = in_force(quotes)
    assert str(held.price) == "0.5"
    assert (held.observed_at, held.effective_at) == (NOW, NOW + timedelta(seconds=30))


def listed(kind: str, gpus: str, price: str = "1.5") -> Listed:
    return Listed(
        instance_type=kind, gpus=gpus, price=Decimal(price), currency="USD", since=None, row=(("a", "b"),)
    )


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (listed("g6.xlarge", "1"), ("L4", 1)),
        (listed("p4de.24xlarge", "8"), ("A100-80GB", 8)),
        (listed("g6f.large", "1"), None),
        (listed("g6.xlarge", "NA"), None),
        (listed("g9x.large", "1"), "which GPU this family has is not known without credentials"),
        (listed("g6.xlarge", "0.5"), "'0.5' is no number of GPUs"),
    ],
)
def test_without_specs_the_family_says_which_gpu(one: Listed, said: tuple[str, int] | str | None) -> None:
    prices = PriceList(region="us-east-1", at=NOW, listed=(one,), unread=())
    quotes, unread = quotes_of(prices, None, "aws")
    assert [(quote.gpu, quote.gpu_count) for quote in quotes] == ([said] if isinstance(said, tuple) else [])
    assert [row.reason for row in unread] == ([said] if isinstance(said, str) else [])


def test_with_specs_a_type_that_the_region_does_not_offer_has_no_quote() -> None:
    prices = PriceList(
        region="us-east-1", at=NOW, listed=(listed("g6.xlarge", "1"), listed("g5.xlarge", "1")), unread=()
    )
    quotes, unread = quotes_of(prices, {"g6.xlarge": L4}, "aws")
    assert [quote.instance_type for quote in quotes] == ["g6.xlarge"]
    assert unread == ()


def test_families_of_parts_and_strangers_have_no_gpu() -> None:
    assert family_gpu("p5en.48xlarge") == "H200"
    assert family_gpu("m5.large") == ""


EVENT = {
    "version": "0",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "source": "aws.ec2",
    "time": "2026-06-01T11:59:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1b:instance/i-0123"],
    "detail": {"instance-id": "i-0123", "instance-action": "terminate"},
}


def test_an_interruption_has_two_minutes() -> None:
    notice = read_notice(json.dumps(EVENT), "receipt")
    assert notice is not None
    assert (notice.kind, notice.instance, notice.zone) == (NoticeKind.INTERRUPTION, "i-0123", "us-east-1b")
    assert notice.deadline == notice.at + timedelta(minutes=2)
    assert notice.receipt == "receipt"


def test_a_rebalance_recommendation_has_no_deadline() -> None:
    event = {**EVENT, "detail-type": "EC2 Instance Rebalance Recommendation", "resources": []}
    notice = read_notice(json.dumps(event), "r")
    assert notice is not None
    assert (notice.kind, notice.deadline, notice.zone) == (NoticeKind.REBALANCE, None, "")


@pytest.mark.parametrize(
    "body",
    ["", "no JSON", "[]", "null", "[" * 100_000, "{}", *(json.dumps({**EVENT, key: None}) for key in EVENT)],
)
def test_whatever_else_a_message_holds_is_no_notice_or_the_same_one(body: str) -> None:
    notice = read_notice(body, "r")
    assert notice is None or notice.instance == "i-0123"


def test_a_queue_is_asked_where_its_address_says() -> None:
    assert queue_region("https://sqs.eu-west-1.amazonaws.com/1/q", "us-east-1") == "eu-west-1"
    assert queue_region("http://localhost:4100/q", "us-east-1") == "us-east-1"


@pytest.mark.parametrize("text", ["", "x", "1,5", "1e3", "inf", "NaN", "0x1", "1_000", "\u0661", " 1"])
def test_what_is_no_plain_number_is_no_price(text: str) -> None:
    assert price_of(text) is None


def test_times_are_in_utc_whatever_their_offset() -> None:
    assert moment_of("2026-06-01T14:00:00+02:00") == NOW
    assert moment_of("2026-06-01T12:00:00") == NOW
    assert moment_of("0001-01-01T00:00:00+23:59") is None


def test_a_row_that_is_none_is_shown_as_it_is() -> None:
    assert row_of("x\ny") == (("row", "x y"),)
    assert row_of({"a": "b\x00"}) == (("a", "b\\x00"),)


def test_a_permission_is_called_as_in_a_policy() -> None:
    assert permission_of("ec2", "describe_spot_price_history") == "ec2:DescribeSpotPriceHistory"
    assert permission_of("service-quotas", "get_service_quota") == "servicequotas:GetServiceQuota"


THREE = ["g6.xlarge", "g6.2xlarge", "g6.4xlarge"]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"region": ["us-east-1"]}, "prices.sources.aws.region"),
        ({"regions": []}, "prices.sources.aws.regions"),
        ({"regions": "us-east-1"}, "prices.sources.aws.regions"),
        ({"on_demand": "guess"}, "prices.sources.aws.on_demand"),
        ({"patience_s": 0}, "prices.sources.aws.patience_s"),
        ({"placement": [{"types": THREE[:2], "capacity": 1}]}, "prices.sources.aws.placement"),
        ({"placement": [{"types": THREE}]}, "prices.sources.aws.placement"),
        ({"placement": [{"types": THREE, "capacity": 0}]}, "prices.sources.aws.placement"),
        ({"placement": "g6"}, "prices.sources.aws.placement"),
    ],
)
def test_a_wrong_option_is_named(options: Mapping[str, Any], path: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        AwsOptions.read(options)
    assert caught.value.path == path


def test_options_are_read_as_written() -> None:
    read = AwsOptions.read({"placement": [{"types": THREE, "capacity": 4}], "bulk_url": "http://x/"})
    assert (read.placement[0].types, read.placement[0].capacity) == (tuple(THREE), 4)
    assert read.bulk_url == "http://x"
    assert read.regions == ("us-east-1", "us-east-2", "us-west-2", "eu-west-1")
