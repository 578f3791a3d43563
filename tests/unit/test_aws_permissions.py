"""The policy in docs/ allows what the AWS source asks for, and nothing else."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from bouted.providers.aws import AwsPrices

from bouted.testing.aws import SeededAws, SpotChange, a_product, seeded_aws

POLICY = Path(__file__).parents[2] / "docs" / "permissions" / "aws-read.json"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SeededAws, str]]:
    """AWS with something to say to every question, and the URL of a queue."""
    with seeded_aws() as aws:
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        change = SpotChange(
            region="us-east-1",
            zone="us-east-1b",
            zone_id="",  # so that zones are looked up
            instance_type="g6.4xlarge",
            price="0.6637",
            at="2026-05-30T08:00:00Z",
        )
        aws.spot.append(change)
        aws.products.append(a_product("us-east-1", "g6.4xlarge", "1.3232000000"))
        sqs = boto3.client("sqs", region_name="us-east-1")
        url = str(sqs.create_queue(QueueName="q")["QueueUrl"])
        sqs.send_message(QueueUrl=url, MessageBody="no notice, so it is deleted")
        yield aws, url


def statements() -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = json.loads(POLICY.read_text())["Statement"]
    return said


def test_the_policy_allows_exactly_what_is_really_asked(cloud: tuple[SeededAws, str]) -> None:
    aws, queue_url = cloud
    placement = [{"types": ["g6.xlarge", "g6.2xlarge", "g6.4xlarge"], "capacity": 4}]
    options = {"regions": ["us-east-1"], "notices_queue_url": queue_url, "placement": placement}
    source = AwsPrices.from_config(options, config_dir=Path())
    aws.called.clear()
    assert source.fetch(NOW).gaps == ()
    source.spot_history(NOW, NOW - timedelta(days=90))
    source.placement_scores(NOW)
    source.notices(0)
    source.diagnose(NOW)
    assert set(aws.called) == {action for statement in statements() for action in statement["Action"]}


def test_the_policy_reads_and_its_queue_is_one() -> None:
    prices, notices = statements()
    assert {statement["Effect"] for statement in (prices, notices)} == {"Allow"}
    assert all(action.split(":")[1].startswith(("Describe", "Get")) for action in prices["Action"])
    assert {action.split(":")[0] for action in notices["Action"]} == {"sqs"}
    assert "*" not in notices["Resource"]
    assert not any("*" in action for action in prices["Action"] + notices["Action"])
