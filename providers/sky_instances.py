"""The instances that carry a deployment's tag, asked of the cloud itself: what no SkyPilot record covers.

A launch that was cancelled or killed halfway leaves an instance that SkyPilot may not know. AWS is asked;
elsewhere SkyPilot's own list has to do.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Protocol

from bouted.reconcile.launcher import SeenNode

from .aws_client import AwsClient
from .aws_read import list_of, moment_of, part_of, text_of
from .sky_task import DEPLOYMENT_LABEL, NODE_LABEL

DEADLINE_S = 30.0
_OVER = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
_GONE = frozenset({"shutting-down", "terminated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance of the deployment, under the name of its node."""

    node: str
    id: str
    region: str
    started_at: datetime | None
    ended_at: datetime | None
    ending: bool

    def seen(self) -> SeenNode:
        """The same as the reconciler sees nodes."""
        return SeenNode(
            name=self.node, up=False, started_at=self.started_at, ended_at=self.ended_at, instance_id=self.id
        )


class Instances(Protocol):
    """A cloud's own list."""

    def list(self, regions: Iterable[str]) -> tuple[Instance, ...]:
        """Every instance with the deployment's tag in these regions, those that ended lately too."""
        ...

    def end(self, instance: Instance) -> None:
        """Terminate it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsInstances:
    """EC2's own list, by tag."""

    client: AwsClient
    deployment: str

    def list(self, regions: Iterable[str]) -> tuple[Instance, ...]:
        """See `Instances`. Raises what asking a region raised: a list cut short looks like a loss."""
        return tuple(instance for region in sorted(set(regions)) for instance in self._in(region))

    def end(self, instance: Instance) -> None:
        """See `Instances`."""
        self.client.ask("ec2", instance.region, "terminate_instances", InstanceIds=[instance.id])

    def _in(self, region: str) -> Iterable[Instance]:
        tag = {"Name": f"tag:{DEPLOYMENT_LABEL}", "Values": [self.deployment]}
        until = monotonic() + DEADLINE_S
        pages = self.client.pages("ec2", region, "describe_instances", "Reservations", until, Filters=[tag])
        if pages.problem is not None:
            raise pages.problem
        for reservation in pages.rows:
            for told in list_of(reservation, "Instances"):
                yield _instance(told, region)


def _instance(told: object, region: str) -> Instance:
    state = text_of(part_of(told, "State"), "Name")
    tags = {text_of(tag, "Key"): text_of(tag, "Value") for tag in list_of(told, "Tags")}
    return Instance(
        node=tags.get(NODE_LABEL, ""),
        id=text_of(told, "InstanceId"),
        region=region,
        started_at=moment_of(text_of(told, "LaunchTime")),
        ended_at=_ended_at(told) if state in _GONE else None,
        ending=state in _GONE,
    )


def _ended_at(told: object) -> datetime | None:
    """EC2 says when an instance ended only inside the sentence that says why."""
    found = _OVER.search(text_of(told, "StateTransitionReason"))
    return None if found is None else moment_of(found[1])
