"""The account at the stand-in cloud: its network and role, and what a test sees and does behind our backs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bouted.testing.ec2.catalog import IMAGE_ID
from bouted.testing.ec2.child import Child
from bouted.testing.ec2.metadata import ROLE

VPC = "stand-in"
ADMIN = {"aws_access_key_id": "AKIASTANDINADMIN0000", "aws_secret_access_key": "secret"}
_USER_DATA = "#cloud-config\nusers: [{{name: ubuntu, ssh_authorized_keys: ['{}']}}]\n"
_ENDED = ("terminated", "shutting-down")
_REASON = "User initiated (%Y-%m-%d %H:%M:%S UTC)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rented:
    """An instance that was rented; `ended_at` is None while it runs. Times are exact to a second."""

    id: str
    region: str
    zone: str
    instance_type: str
    spot: bool
    ip: str
    state: str
    tags: Mapping[str, str]
    launched_at: datetime
    ended_at: datetime | None

    @property
    def running(self) -> bool:
        """Is it being paid for?"""
        return self.state not in _ENDED


@dataclass(slots=True, kw_only=True)
class Account:
    """An account in the cloud at `server`, with a subnet per zone inside 127.`octet`.0.0/16.

    What it does is not seen by the fault proxy: nobody refuses it, nobody counts it.
    """

    server: Child
    octet: int
    zones: tuple[str, ...]
    subnets: dict[str, str] = field(default_factory=dict)
    zone_ids: dict[str, str] = field(default_factory=dict)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def regions(self) -> tuple[str, ...]:
        """Where it has a network."""
        return tuple(sorted({zone[:-1] for zone in self.zones}))

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client that goes past the fault proxy."""
        import boto3

        if (service, region) not in self._clients:
            made = boto3.client(service, region_name=region, endpoint_url=self.server.url, **ADMIN)
            self._clients[service, region] = made
        return self._clients[service, region]

    def open(self) -> None:
        """Make the network, and the role that SkyPilot would make with policies which moto does not know."""
        for number, region in enumerate(self.regions):
            self._make_network(region, f"127.{self.octet}.{16 * number}")
        iam = self.client("iam")
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument='{"Statement": []}')
        iam.create_instance_profile(InstanceProfileName=ROLE)
        iam.add_role_to_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)

    def instances(self, **tags: str) -> list[Rented]:
        """All that were ever rented and have these tags, oldest first."""
        found = [row for region in self.regions for row in self._in(region)]
        having = [one for one in found if tags.items() <= one.tags.items()]
        return sorted(having, key=lambda one: one.launched_at)

    def running(self, **tags: str) -> list[Rented]:
        """Those that are being paid for."""
        return [one for one in self.instances(**tags) if one.running]

    def terminate(self, instances: Iterable[Rented]) -> None:
        """End them, as the cloud does when it takes spot capacity back."""
        for one in instances:
            self.client("ec2", one.region).terminate_instances(InstanceIds=[one.id])

    def rent(
        self,
        instance_type: str,
        zone: str,
        *,
        spot: bool = False,
        tags: Mapping[str, str] | None = None,
        public_key: str = "",
    ) -> Rented:
        """An instance that SkyPilot knows nothing of; the holder of `public_key` may log in."""
        market = {"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}
        tagged = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        specified = {"TagSpecifications": [{"ResourceType": "instance", "Tags": tagged}]} if tagged else {}
        made = self.client("ec2", zone[:-1]).run_instances(
            ImageId=IMAGE_ID,
            InstanceType=instance_type,
            MinCount=1,
            MaxCount=1,
            SubnetId=next(subnet for subnet, at in self.subnets.items() if at == zone),
            UserData=_USER_DATA.format(public_key) if public_key else "",
            **market,
            **specified,
        )
        name = made["Instances"][0]["InstanceId"]
        return next(one for one in self.instances() if one.id == name)

    def _make_network(self, region: str, prefix: str) -> None:
        ec2 = self.client("ec2", region)
        for row in ec2.describe_availability_zones()["AvailabilityZones"]:
            self.zone_ids[row["ZoneName"]] = row["ZoneId"]
        vpc = ec2.create_vpc(CidrBlock=f"{prefix}.0/20")["Vpc"]["VpcId"]
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": VPC}])
        net, _, third = prefix.rpartition(".")
        for number, zone in enumerate(zone for zone in self.zones if zone[:-1] == region):
            block = f"{net}.{int(third) + number}.0/24"
            made = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)
            self.subnets[made["Subnet"]["SubnetId"]] = zone

    def _in(self, region: str) -> list[Rented]:
        pages = self.client("ec2", region).get_paginator("describe_instances").paginate()
        return [
            _rented(region, row)
            for page in pages
            for reservation in page["Reservations"]
            for row in reservation["Instances"]
        ]


def _rented(region: str, row: Mapping[str, Any]) -> Rented:
    tags: Sequence[Mapping[str, str]] = row.get("Tags", ())
    state = row["State"]["Name"]
    ended = state in _ENDED
    return Rented(
        id=row["InstanceId"],
        region=region,
        zone=row["Placement"]["AvailabilityZone"],
        instance_type=row["InstanceType"],
        spot=row.get("InstanceLifecycle") == "spot",
        ip=row.get("PrivateIpAddress", ""),
        state=state,
        tags={tag["Key"]: tag["Value"] for tag in tags},
        launched_at=row["LaunchTime"].astimezone(UTC),
        ended_at=datetime.strptime(row["StateTransitionReason"], _REASON).replace(tzinfo=UTC)
        if ended
        else None,
    )
