"""A deployment's instances, asked of the cloud itself: what no SkyPilot record covers.

A launch that was cancelled or killed halfway leaves an instance that SkyPilot may not know. On own machines
SkyPilot's list has to do.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Protocol

from bouted.market.offers import Offer
from bouted.reconcile.launcher import SeenNode

from .aws_client import AwsClient
from .aws_read import list_of, moment_of, part_of, text_of
from .sky_task import DEPLOYMENT_LABEL, NODE_LABEL

DEADLINE_S = 30.0
CLUSTER_TAG = "ray-cluster-name"
"""Where SkyPilot keeps what it calls a cluster at a cloud."""
_OVER = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
_GONE = frozenset({"shutting-down", "terminated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance under a name of the deployment's; in a region, or a zone of GCP. `cluster` is what
    SkyPilot calls its cluster there."""

    node: str
    cluster: str
    cloud: str
    id: str
    started_at: datetime | None
    ended_at: datetime | None
    ending: bool
    region: str = ""
    zone: str = ""

    def seen(self) -> SeenNode:
        """The same as the reconciler sees nodes."""
        return SeenNode(
            name=self.node, up=False, started_at=self.started_at, ended_at=self.ended_at, instance_id=self.id
        )


class Listing(Protocol):
    """A cloud's own list."""

    def list(self, offers: Iterable[Offer]) -> tuple[Instance, ...]:
        """Every instance under a name of the deployment's where these offers are, whoever launched it; those
        that ended lately too, where a cloud lists them."""
        ...

    def end(self, instance: Instance) -> None:
        """Terminate it."""
        ...


class Instances(Protocol):
    """What clouds list of the deployment itself."""

    def list(
        self, offers: Iterable[Offer], known: frozenset[tuple[str, str]] = frozenset()
    ) -> tuple[Instance, ...]:
        """Every instance that was launched from here where these offers are. `known`: names of nodes and what
        their clouds call them, for those that were launched before SkyPilot's folder was lost."""
        ...

    def end(self, instance: Instance) -> None:
        """Terminate it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EachCloud:
    """The lists of several clouds, by provider: each is made when an offer of it is first asked for.

    Somebody else may have chosen the deployment's name in the same account. What is ours has SkyPilot's
    `user` in the name of its cluster, or is known by what its cloud calls it.
    """

    made_by: Mapping[str, Callable[[], Listing]]
    user: Callable[[], str]
    _made: dict[str, Listing] = field(default_factory=dict)

    def list(
        self, offers: Iterable[Offer], known: frozenset[tuple[str, str]] = frozenset()
    ) -> tuple[Instance, ...]:
        """See `Instances`. Raises what any of them raised."""
        asked = tuple(offers)
        clouds = sorted({offer.provider for offer in asked} & set(self.made_by))
        found = [instance for cloud in clouds for instance in self._of(cloud).list(asked)]
        mark = f"-{self.user()}" if found else ""
        return tuple(one for one in found if one.cluster.endswith(mark) or (one.node, one.id) in known)

    def end(self, instance: Instance) -> None:
        """See `Instances`."""
        self._of(instance.cloud).end(instance)

    def _of(self, cloud: str) -> Listing:
        if cloud not in self._made:
            self._made[cloud] = self.made_by[cloud]()
        return self._made[cloud]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsInstances:
    """EC2's own list, by tag."""

    client: AwsClient
    deployment: str

    def list(self, offers: Iterable[Offer]) -> tuple[Instance, ...]:
        """See `Listing`. Raises what asking a region raised: a list cut short looks like a loss."""
        regions = sorted({offer.region for offer in offers if offer.provider == "aws"})
        return tuple(instance for region in regions for instance in self._in(region))

    def end(self, instance: Instance) -> None:
        """See `Listing`."""
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
        cluster=tags.get(CLUSTER_TAG, ""),
        cloud="aws",
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
