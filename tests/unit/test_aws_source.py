"""The AWS source beside its prices: retries, gaps, what it remembers, scores, notices, diagnosis."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from bouted.providers.aws import AwsPrices

from bouted.errors import NotConfigured, PermissionMissing, Retryable, SourceFailed
from bouted.market.notices import Notice, NoticeKind
from bouted.market.offers import Market
from bouted.testing.aws import SeededAws, SpotChange, a_product, seeded_aws

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CHANGE = SpotChange(
    region="us-east-1",
    zone="us-east-1b",
    zone_id="use1-az1",
    instance_type="g6.4xlarge",
    price="0.6637",
    at="2026-05-30T08:00:00Z",
)
TYPES = ["g6.4xlarge", "g6.8xlarge", "g6.xlarge"]
SPOT_PRICES = "ec2:DescribeSpotPriceHistory"


@pytest.fixture(scope="module")
def running() -> Iterator[SeededAws]:
    with seeded_aws() as aws:
        yield aws


@pytest.fixture
def aws(running: SeededAws, monkeypatch: pytest.MonkeyPatch) -> SeededAws:
    """AWS as every test finds it: one spot price, one on-demand price."""
    running.spot, running.products, running.page_rows = [CHANGE], [a_product_here()], 100
    running.refuse, running.quotas, running.scores = lambda asked: "", {}, []
    running.called.clear()
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    return running


def a_product_here() -> dict[str, object]:
    return a_product("us-east-1", "g6.4xlarge", "1.3232000000")


def a_source(**options: object) -> AwsPrices:
    usual = {"regions": ["us-east-1"], "types": TYPES, "attempts": 1, "patience_s": 10}
    return AwsPrices.from_config({**usual, **options}, config_dir=Path())


def refusing(code: str, *names: str, times: int = 1000) -> Callable[[str], str]:
    left = [times]

    def refuse(asked: str) -> str:
        if asked not in names or left[0] == 0:
            return ""
        left[0] -= 1
        return code

    return refuse


def test_throttling_that_passes_is_ridden_out_by_the_client(aws: SeededAws) -> None:
    aws.refuse = refusing("RequestLimitExceeded", SPOT_PRICES, times=1)
    answer = a_source(attempts=3).fetch(NOW)
    assert answer.gaps == ()
    assert aws.called.count(SPOT_PRICES) == 2


def test_throttling_of_spot_prices_everywhere_means_later_although_list_prices_are_known(
    aws: SeededAws,
) -> None:
    source = a_source()
    source.fetch(NOW)
    aws.refuse = refusing("RequestLimitExceeded", SPOT_PRICES)
    with pytest.raises(Retryable):
        source.fetch(NOW)


def test_a_region_that_the_account_has_not_opted_in_to_is_a_gap(aws: SeededAws) -> None:
    aws.refuse = refusing("AuthFailure", SPOT_PRICES, times=1)
    aws.spot.append(replace(CHANGE, region="us-east-2", zone="us-east-2a", zone_id="use2-az1"))
    answer = a_source(regions=["us-east-1", "us-east-2"]).fetch(NOW)
    assert len([quote for quote in answer.quotes if quote.market is Market.SPOT]) == 1
    (gap,) = answer.gaps
    assert "AuthFailure" in gap
    assert "opted in" in gap


def test_keys_that_aws_does_not_know_are_told_with_what_to_do(aws: SeededAws) -> None:
    aws.refuse = lambda asked: "InvalidClientTokenId"
    with pytest.raises(SourceFailed, match="AWS does not know these keys"):
        a_source().fetch(NOW)


def test_list_prices_that_may_not_be_read_are_a_gap_that_names_the_permission(aws: SeededAws) -> None:
    aws.refuse = refusing("AccessDeniedException", "pricing:GetProducts")
    answer = a_source().fetch(NOW)
    assert [quote.market for quote in answer.quotes] == [Market.SPOT]
    (gap,) = answer.gaps
    assert "pricing:GetProducts" in gap


def test_spot_prices_that_may_not_be_read_leave_the_list_prices(aws: SeededAws) -> None:
    aws.refuse = refusing("UnauthorizedOperation", SPOT_PRICES)
    answer = a_source().fetch(NOW)
    assert [quote.market for quote in answer.quotes] == [Market.ON_DEMAND]
    assert SPOT_PRICES in answer.gaps[0]


def test_all_pages_are_read(aws: SeededAws) -> None:
    aws.page_rows = 1
    aws.spot += [
        replace(CHANGE, instance_type="g6.xlarge"),
        replace(CHANGE, zone_id="use1-az2", zone="us-east-1a"),
    ]
    aws.products.append(a_product("us-east-1", "g6.xlarge", "0.8048000000"))
    assert len(a_source().fetch(NOW).quotes) == 5


def test_what_changes_rarely_is_asked_for_once_a_day(aws: SeededAws) -> None:
    source = a_source()
    source.fetch(NOW)
    source.fetch(NOW + timedelta(hours=23))
    assert aws.called.count(SPOT_PRICES) == 2
    for daily in ("ec2:DescribeInstanceTypes", "ec2:DescribeInstanceTypeOfferings", "pricing:GetProducts"):
        assert aws.called.count(daily) == 1
    later = source.fetch(NOW + timedelta(hours=25))
    assert aws.called.count("pricing:GetProducts") == 2
    assert {quote.observed_at for quote in later.quotes} == {NOW + timedelta(hours=25)}


def test_list_prices_say_when_they_were_really_read(aws: SeededAws) -> None:
    source = a_source()
    source.fetch(NOW)
    seen = {quote.market: quote.observed_at for quote in source.fetch(NOW + timedelta(hours=1)).quotes}
    assert seen == {Market.SPOT: NOW + timedelta(hours=1), Market.ON_DEMAND: NOW}


def test_a_list_that_cannot_be_read_anew_stays_as_old_as_it_is_and_is_tried_again(aws: SeededAws) -> None:
    source = a_source()
    source.fetch(NOW)
    aws.refuse = refusing("InternalError", "pricing:GetProducts", times=1)
    failed = source.fetch(NOW + timedelta(days=2))
    assert failed.gaps
    assert NOW in {quote.observed_at for quote in failed.quotes}
    soon, later = (NOW + timedelta(days=2, minutes=minutes) for minutes in (10, 16))
    assert source.fetch(soon).gaps == failed.gaps
    tried_again = source.fetch(later)
    assert tried_again.gaps == ()
    assert {quote.observed_at for quote in tried_again.quotes} == {later}


def test_a_zone_that_is_only_named_is_looked_up(aws: SeededAws) -> None:
    ids = {zone["ZoneName"]: zone["ZoneId"] for zone in zones()}
    aws.spot = [replace(CHANGE, zone_id="")]
    (spot,) = [quote for quote in a_source().fetch(NOW).quotes if quote.market is Market.SPOT]
    assert spot.zone == ids["us-east-1b"]


def zones() -> list[dict[str, str]]:
    said = boto3.client("ec2", region_name="us-east-1").describe_availability_zones()
    found: list[dict[str, str]] = said["AvailabilityZones"]
    return found


def test_the_past_has_every_change_and_the_price_before_the_first(aws: SeededAws) -> None:
    aws.spot = [replace(CHANGE, price=f"0.{day}", at=f"2026-05-{day}T00:00:00Z") for day in (10, 20, 25, 28)]
    quotes = a_source().spot_history(NOW, datetime(2026, 5, 22, tzinfo=UTC))
    assert [str(quote.price) for quote in quotes] == ["0.20", "0.25", "0.28"]
    assert [quote.effective_at and quote.effective_at.day for quote in quotes] == [20, 25, 28]
    assert {quote.observed_at for quote in quotes} == {NOW}


def test_the_past_that_nobody_may_read_names_the_permission(aws: SeededAws) -> None:
    aws.refuse = refusing("UnauthorizedOperation", SPOT_PRICES)
    with pytest.raises(PermissionMissing, match=SPOT_PRICES):
        a_source().spot_history(NOW, NOW - timedelta(days=1))


def test_placement_scores_are_asked_for_hourly(aws: SeededAws) -> None:
    aws.scores = [
        {"Region": "us-east-1", "AvailabilityZoneId": "use1-az1", "Score": 7},
        {"Region": "us-east-2"},
    ]
    source = a_source(placement=[{"types": TYPES, "capacity": 4}])
    (score,) = source.placement_scores(NOW)
    assert (score.zone_id, score.score, score.capacity) == ("use1-az1", 7, 4)
    assert source.placement_scores(NOW + timedelta(minutes=59)) == (score,)
    assert aws.called.count("ec2:GetSpotPlacementScores") == 1
    source.placement_scores(NOW + timedelta(minutes=61))
    assert aws.called.count("ec2:GetSpotPlacementScores") == 2


def test_without_the_option_no_scores_are_asked_for(aws: SeededAws) -> None:
    assert a_source().placement_scores(NOW) == ()
    assert aws.called == []


def a_queue() -> str:
    return str(boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="notices")["QueueUrl"])


def test_notices_come_through_eventbridge_until_they_are_acknowledged(aws: SeededAws) -> None:
    url = a_queue()
    send_through_eventbridge(url)
    source = a_source(notices_queue_url=url)
    heard = source.notices(0)
    assert [(one.kind, one.instance, one.region) for one in heard] == [
        (NoticeKind.INTERRUPTION, "i-0123", "us-east-1")
    ]
    assert heard[0].zone == {zone["ZoneName"]: zone["ZoneId"] for zone in zones()}["us-east-1b"]
    source.acknowledge(heard)
    assert waiting_in(url) == 0


def send_through_eventbridge(url: str) -> None:
    events, sqs = (boto3.client(name, region_name="us-east-1") for name in ("events", "sqs"))
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    kind = "EC2 Spot Instance Interruption Warning"
    events.put_rule(Name="spot", EventPattern=json.dumps({"detail-type": [kind]}))
    events.put_targets(Rule="spot", Targets=[{"Id": "q", "Arn": arn}])
    entry = {
        "Source": "aws.ec2",
        "DetailType": kind,
        "Detail": json.dumps({"instance-id": "i-0123", "instance-action": "terminate"}),
        "Resources": ["arn:aws:ec2:us-east-1b:instance/i-0123"],
    }
    events.put_events(Entries=[entry])


def waiting_in(url: str) -> int:
    sqs = boto3.client("sqs", region_name="us-east-1")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    said = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(said[name]) for name in names)


def test_a_message_that_is_no_notice_is_taken_off_and_told_once(
    aws: SeededAws, caplog: pytest.LogCaptureFixture
) -> None:
    url = a_queue()
    boto3.client("sqs", region_name="us-east-1").send_message(QueueUrl=url, MessageBody="hello")
    source = a_source(notices_queue_url=url)
    with caplog.at_level(logging.WARNING):
        assert source.notices(0) == ()
        assert source.notices(0) == ()
    assert [record.getMessage() for record in caplog.records] == ["aws: a message that is no notice: 'hello'"]
    assert waiting_in(url) == 0


def test_without_a_queue_notices_are_not_configured(aws: SeededAws) -> None:
    with pytest.raises(NotConfigured, match="notices_queue_url"):
        a_source().notices(0)


def test_acknowledging_nothing_asks_nothing(aws: SeededAws) -> None:
    nothing: tuple[Notice, ...] = ()
    a_source().acknowledge(nothing)
    assert aws.called == []


QUOTAS = {
    "L-417A185B": {"QuotaName": "Running On-Demand P instances", "Value": 192.0},
    "L-3819A6DF": {"QuotaName": "All G and VT Spot Instance Requests", "Value": 64.0},
    "L-C4BD4855": {"QuotaName": "something else by that code", "Value": 1.0},
}


def test_quotas_are_in_vcpus_by_family_and_region(aws: SeededAws) -> None:
    aws.quotas.update(QUOTAS)
    diagnosis = a_source().diagnose(NOW)
    assert (diagnosis.credential, diagnosis.reachable, diagnosis.missing) == ("env", True, ())
    assert (diagnosis.problem, diagnosis.hint) == ("", "")
    found = [(one.region, one.family, one.market, one.limit, one.unit) for one in diagnosis.quotas]
    assert found == [
        ("us-east-1", "P", Market.ON_DEMAND, 192.0, "vCPU"),
        ("us-east-1", "G and VT", Market.SPOT, 64.0, "vCPU"),
    ]


def test_every_permission_that_is_missing_is_named_at_once(aws: SeededAws) -> None:
    missing = [
        SPOT_PRICES,
        "ec2:GetSpotPlacementScores",
        "pricing:GetProducts",
        "servicequotas:GetServiceQuota",
    ]
    aws.refuse = refusing("UnauthorizedOperation", *missing)
    diagnosis = a_source(placement=[{"types": TYPES, "capacity": 4}]).diagnose(NOW)
    assert diagnosis.missing == tuple(missing)
    assert diagnosis.reachable
    assert "docs/permissions/aws-read.json" in diagnosis.hint


def test_the_doctor_tells_the_placement_scores(aws: SeededAws) -> None:
    aws.scores = [{"Region": "us-east-1", "AvailabilityZoneId": "use1-az1", "Score": 7}]
    told = a_source(placement=[{"types": TYPES, "capacity": 4}]).diagnose(NOW).notes
    assert told == (f"spot placement score 7 of 10 in use1-az1 for 4 of {', '.join(TYPES)}",)
    assert a_source().diagnose(NOW).notes == ()


def test_a_dry_run_that_would_have_worked_is_no_problem(aws: SeededAws) -> None:
    diagnosis = a_source(placement=[{"types": TYPES, "capacity": 4}]).diagnose(NOW)
    assert "ec2:GetSpotPlacementScores" in aws.called
    assert diagnosis.problem == ""


def test_nobody_at_the_other_end_is_not_reachable(aws: SeededAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in aws.environment():
        if "ENDPOINT" in name:
            monkeypatch.setenv(name, "http://127.0.0.1:9")
    diagnosis = a_source().diagnose(NOW)
    assert diagnosis.reachable is False
    assert diagnosis.problem


def test_no_credentials_are_told_and_not_needed_for_the_file(
    aws: SeededAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    without = a_source().diagnose(NOW)
    assert (without.credential, without.configured, without.problem) == ("", False, "no AWS credentials")
    assert without.well
    assert a_source(on_demand="bulk").diagnose(NOW).credential == "not needed"
    with pytest.raises(NotConfigured):
        a_source().spot_history(NOW, NOW)


def test_a_profile_that_is_not_there_is_for_a_person_to_mend(aws: SeededAws) -> None:
    with pytest.raises(SourceFailed, match="profile"):
        a_source(profile="nobody").fetch(NOW)
    found = a_source(profile="nobody").diagnose(NOW)
    assert found.problem
    assert not found.well
