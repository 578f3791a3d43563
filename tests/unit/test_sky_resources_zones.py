"""An AWS account's zone names: asked once per region, kept for the account, and used without AWS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bouted.providers.aws_client import AwsClient
from bouted.providers.sky_zones import zone_names

from bouted.errors import PermissionMissing
from bouted.testing.aws import SeededAws, seeded_aws

ASKED = "ec2:DescribeAvailabilityZones"


@pytest.fixture(scope="module")
def running() -> Iterator[SeededAws]:
    with seeded_aws() as aws:
        yield aws


@pytest.fixture
def aws(running: SeededAws, monkeypatch: pytest.MonkeyPatch) -> SeededAws:
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    running.refuse = lambda asked: ""
    running.called.clear()
    return running


def client() -> AwsClient:
    return AwsClient("", timeout_s=5.0, attempts=1)


def test_zones_come_by_id_with_the_accounts_names(aws: SeededAws, tmp_path: Path) -> None:
    told = zone_names(client(), ["us-east-1", "us-west-2"], tmp_path / "state" / "zones.json")
    assert told.problems == ()
    assert told.zones.names["use1-az6"] == "us-east-1a"
    assert told.zones.names["usw2-az2"] == "us-west-2a"


def test_a_region_is_asked_for_once(aws: SeededAws, tmp_path: Path) -> None:
    first = zone_names(client(), ["us-east-1"], tmp_path / "zones.json")
    again = zone_names(client(), ["us-east-1"], tmp_path / "zones.json")
    assert again == first
    assert aws.called.count(ASKED) == 1


def test_a_region_that_refuses_leaves_the_others_known(aws: SeededAws, tmp_path: Path) -> None:
    before = zone_names(client(), ["us-east-1"], tmp_path / "zones.json")
    aws.refuse = lambda asked: "UnauthorizedOperation" if asked == ASKED else ""
    told = zone_names(client(), ["us-east-1", "us-west-2"], tmp_path / "zones.json")
    assert told.zones == before.zones
    (problem,) = told.problems
    assert isinstance(problem, PermissionMissing)


def test_without_aws_the_names_that_were_kept_hold(aws: SeededAws, tmp_path: Path) -> None:
    before = zone_names(client(), ["us-east-1"], tmp_path / "zones.json")
    aws.refuse = lambda asked: "AccessDenied"
    told = zone_names(client(), ["us-east-1"], tmp_path / "zones.json")
    assert told.zones == before.zones
    assert len(told.problems) == 1


def test_another_accounts_names_are_not_believed(aws: SeededAws, tmp_path: Path) -> None:
    kept = tmp_path / "zones.json"
    kept.write_text('{"account": "999999999999", "zones": {"use1-az6": "us-east-1f"}}', encoding="utf-8")
    told = zone_names(client(), ["us-east-1"], kept)
    assert told.zones.names["use1-az6"] == "us-east-1a"
    assert zone_names(client(), [], kept).zones == told.zones
