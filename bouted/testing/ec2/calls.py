"""Requests to AWS, read by the names that IAM policies use for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
_REST = {("s3", "GET", "/"): "ListAllMyBuckets"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: `action` as IAM names it (`ec2:RunInstances`), `key` the access key that signed it."""

    at: datetime
    key: str
    region: str
    action: str
    fields: Mapping[str, str]

    @property
    def needs(self) -> tuple[str, ...]:
        """The actions a policy must allow for this call."""
        needed = [self.action]
        if self.action == "ec2:RunInstances":
            if any(name.startswith("IamInstanceProfile.") for name in self.fields):
                needed.append("iam:PassRole")
            if any(name.startswith("TagSpecification.") for name in self.fields):
                needed.append("ec2:CreateTags")
        return tuple(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to rent: the error it met in `refused` ("" for none), else the instances it got."""

    at: datetime
    region: str
    zone: str
    instance_type: str
    spot: bool
    refused: str = ""
    instance_ids: tuple[str, ...] = ()


def read_call(method: str, path: str, headers: Mapping[str, str], body: bytes, at: datetime) -> Call:
    """The call a request makes; the names in `headers` are in small letters."""
    scope = _SCOPE.search(headers.get("authorization", ""))
    key, region, service = scope.groups() if scope else ("", "", "")
    form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    fields = dict(parse_qsl(body.decode("latin1"), keep_blank_values=True)) if form else {}
    named = fields.get("Action") or headers.get("x-amz-target", "").rpartition(".")[2]
    bare = path.partition("?")[0]
    name = named or _REST.get((service, method, bare)) or f"{method} {bare}"
    return Call(at=at, key=key, region=region, action=f"{service}:{name}", fields=fields)


def zone_of(call: Call, zones: Mapping[str, str]) -> str:
    """The zone that a RunInstances asks for; `zones` are those of subnets. "" if it leaves it open."""
    subnet = call.fields.get("SubnetId") or call.fields.get("NetworkInterface.1.SubnetId", "")
    return zones.get(subnet) or call.fields.get("Placement.AvailabilityZone", "")


def wants_spot(call: Call) -> bool:
    """Does a RunInstances ask for spot capacity?"""
    return call.fields.get("InstanceMarketOptions.MarketType") == "spot"
