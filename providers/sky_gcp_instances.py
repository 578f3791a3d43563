"""Compute Engine's own list of a deployment's instances, by label: see `sky_instances`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from google.cloud import compute_v1

from bouted.market.offers import Offer

from .gcp_calls import Absent, Asking
from .gcp_machines import last_part
from .gcp_preemption import instant
from .sky_instances import CLUSTER_TAG, Instance
from .sky_task import DEPLOYMENT_LABEL, NODE_LABEL

CALL_S, DEADLINE_S = 15.0, 30.0
LIST, DELETE = "compute.instances.list", "compute.instances.delete"
_ENDING = frozenset({"STOPPING", "SUSPENDING", "STOPPED", "SUSPENDED", "TERMINATED"})
_ENDED = frozenset({"STOPPED", "SUSPENDED", "TERMINATED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpInstances:
    """All zones of a project in one list. `connect` gives the client and the project, when first needed.

    What was deleted is listed no more, so Google's own time of an end is had of those alone that it stopped.
    """

    connect: Callable[[], tuple[compute_v1.InstancesClient, str]]
    deployment: str

    def list(self, offers: Iterable[Offer]) -> tuple[Instance, ...]:
        """See `Listing`. Raises what asking for any page raised: a list cut short looks like a loss."""
        if not any(offer.provider == "gcp" for offer in offers):
            return ()
        client, project = self.connect()
        asking = Asking.start(project, CALL_S, DEADLINE_S)
        return tuple(
            _instance(told, last_part(zone))
            for page in self._pages(client, asking)
            for zone, scoped in sorted(page.items.items())
            for told in scoped.instances
        )

    def end(self, instance: Instance) -> None:
        """See `Listing`. One that is gone already is no error."""
        client, project = self.connect()
        asking = Asking.start(project, CALL_S, DEADLINE_S)
        request = compute_v1.DeleteInstanceRequest(project=project, zone=instance.zone, instance=instance.id)
        try:
            asking.ask(
                DELETE, lambda retry, timeout: client.delete_unary(request, retry=retry, timeout=timeout)
            )
        except Absent:
            return

    def _pages(
        self, client: compute_v1.InstancesClient, asking: Asking
    ) -> Iterator[compute_v1.InstanceAggregatedList]:
        token, more = "", True
        while more:
            request = compute_v1.AggregatedListInstancesRequest(
                project=asking.project,
                filter=f'labels.{DEPLOYMENT_LABEL}="{self.deployment}"',
                max_results=500,
                page_token=token,
            )
            page = _page(client, request, asking)
            yield page
            token = page.next_page_token
            more = bool(token)


def _page(
    client: compute_v1.InstancesClient, request: compute_v1.AggregatedListInstancesRequest, asking: Asking
) -> compute_v1.InstanceAggregatedList:
    return asking.ask(
        LIST,
        lambda retry, timeout: next(
            iter(client.aggregated_list(request, retry=retry, timeout=timeout).pages)
        ),
    )


def _instance(told: compute_v1.Instance, zone: str) -> Instance:
    return Instance(
        node=told.labels.get(NODE_LABEL, ""),
        cluster=told.labels.get(CLUSTER_TAG, ""),
        cloud="gcp",
        id=told.name,  # by which its notices call it, too
        zone=zone,
        started_at=_moment(told.last_start_timestamp or told.creation_timestamp),
        ended_at=_moment(told.last_stop_timestamp) if told.status in _ENDED else None,
        ending=told.status in _ENDING,
    )


def _moment(said: str) -> datetime | None:
    try:
        return instant(said)
    except ValueError:
        return None
