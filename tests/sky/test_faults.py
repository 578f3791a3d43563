"""The cloud refuses what it is told to, to whom it is told to, as often as it is told to."""

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bouted.testing.ec2.catalog import IMAGE_ID
from bouted.testing.ec2.cloud import StandInCloud

KEY = "AKIATESTOFFAULTS0000"


def rent(cloud: StandInCloud, zone: str = "us-east-1a", kind: str = "m6i.large", spot: bool = False) -> str:
    """The error code that whoever rents gets; "" for none."""
    ec2 = client(cloud, "ec2", zone[:-1])
    subnet = next(subnet for subnet, at in cloud.account.subnets.items() if at == zone)
    market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
    asked = {"ImageId": IMAGE_ID, "InstanceType": kind, "SubnetId": subnet, "MinCount": 1, "MaxCount": 1}
    try:
        made = ec2.run_instances(**asked, **market)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    ec2.terminate_instances(InstanceIds=[made["Instances"][0]["InstanceId"]])
    return ""


def client(cloud: StandInCloud, service: str, region: str = "us-east-1") -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=cloud.url,
        aws_access_key_id=KEY,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(
    "code",
    [
        "InsufficientInstanceCapacity",
        "InvalidAMIID.NotFound",
        "MaxSpotInstanceCountExceeded",
        "RequestLimitExceeded",
        "UnauthorizedOperation",
        "VcpuLimitExceeded",
    ],
)
def test_a_refusal_carries_its_code_until_it_relents(cloud: StandInCloud, code: str) -> None:
    refusal = cloud.faults.refuse(code)
    assert [rent(cloud), rent(cloud)] == [code, code]
    cloud.faults.relent(refusal)
    assert rent(cloud) == ""


@pytest.mark.parametrize(
    ("about", "refused"),
    [
        ({}, True),
        ({"region": "us-east-1"}, True),
        ({"region": "us-west-2"}, False),
        ({"zone": "us-east-1a"}, True),
        ({"zone": "us-east-1b"}, False),
        ({"instance_type": "g5.xlarge"}, True),
        ({"instance_type": "m6i.large"}, False),
        ({"spot": True}, True),
        ({"spot": False}, False),
        ({"zone": "us-east-1a", "spot": False}, False),
    ],
)
def test_a_refusal_is_about_what_fits_it(cloud: StandInCloud, about: dict[str, Any], refused: bool) -> None:
    cloud.faults.refuse("Full", **about)
    assert rent(cloud, "us-east-1a", "g5.xlarge", spot=True) == ("Full" if refused else "")


def test_a_refusal_may_run_out_and_the_next_one_takes_over(cloud: StandInCloud) -> None:
    cloud.faults.refuse("First", times=2)
    cloud.faults.refuse("Second", times=1)
    assert [rent(cloud) for _ in range(4)] == ["First", "First", "Second", ""]


def test_other_calls_can_be_refused_too(cloud: StandInCloud) -> None:
    cloud.faults.refuse("UnauthorizedOperation", action="ec2:DescribeInstances")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        client(cloud, "ec2").describe_instances()
    assert rent(cloud) == ""


def test_every_attempt_to_rent_is_logged_with_its_end(cloud: StandInCloud) -> None:
    before = len(cloud.faults.attempts)
    cloud.faults.refuse("Full", times=1)
    rent(cloud, "us-west-2b", "g6e.xlarge", spot=True)
    rent(cloud)
    full, got = cloud.faults.attempts[before:]
    assert (full.zone, full.instance_type, full.spot) == ("us-west-2b", "g6e.xlarge", True)
    assert (full.refused, full.instance_ids) == ("Full", ())
    assert (got.zone, got.spot, got.refused) == ("us-east-1a", False, "")
    assert set(got.instance_ids) <= {one.id for one in cloud.account.instances()}
    assert len(got.instance_ids) == 1


def test_what_the_cloud_itself_refuses_is_logged_as_refused(cloud: StandInCloud) -> None:
    with pytest.raises(ClientError, match="InvalidSubnetID"):
        client(cloud, "ec2").run_instances(
            ImageId=IMAGE_ID, InstanceType="m6i.large", SubnetId="subnet-1", MinCount=1, MaxCount=1
        )
    assert cloud.faults.attempts[-1].refused.startswith("InvalidSubnetID")


def test_calls_of_all_kinds_are_counted_by_their_iam_names(cloud: StandInCloud) -> None:
    before = cloud.faults.counts(KEY)
    client(cloud, "sts").get_caller_identity()
    client(cloud, "iam").list_roles()
    client(cloud, "s3").list_buckets()
    with pytest.raises(ClientError, match="NoSuchResource"):
        client(cloud, "service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")
    assert set((cloud.faults.counts(KEY) - before).elements()) == {
        "iam:ListRoles",
        "s3:ListAllMyBuckets",
        "servicequotas:GetServiceQuota",
        "sts:GetCallerIdentity",
    }
