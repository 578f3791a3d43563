"""Azure's own list of a deployment's virtual machines, by tag: see `sky_instances`."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bouted.errors import Gone
from bouted.market.offers import Offer

from .azure_account import AzureAccount
from .sky_instances import CLUSTER_TAG, Instance
from .sky_task import DEPLOYMENT_LABEL, NODE_LABEL

LIST = "Microsoft.Compute/virtualMachines/read"
DELETE = "Microsoft.Compute/virtualMachines/delete"
DELETE_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureInstances:
    """All regions of a subscription in one list. `connect` gives the clients, when first needed.

    SkyPilot puts each cluster into a resource group of its own, with a network and an address that cost, too:
    such a group is deleted whole. In a group of the user's, only the machine is. What was deleted is listed
    no more.
    """

    connect: Callable[[], AzureAccount]
    deployment: str

    def list(self, offers: Iterable[Offer]) -> tuple[Instance, ...]:
        """See `Listing`. Raises what asking for any page raised: a list cut short looks like a loss."""
        if not any(offer.provider == "azure" for offer in offers):
            return ()
        return tuple(_instance(told) for told in self._machines())

    def end(self, instance: Instance) -> None:
        """See `Listing`. One that is gone already is no error."""
        for told in self._machines():
            if told.id == instance.id:
                with suppress(Gone):
                    self._delete(told, _group(told))

    def _delete(self, told: Any, group: str) -> None:
        azure = self.connect()
        if group.lower() == _own_group(told):
            azure.ask(DELETE_GROUP, lambda: azure.groups.begin_delete(group, polling=False))
        else:
            azure.ask(DELETE, lambda: azure.machines.begin_delete(group, told.name, polling=False))

    def _machines(self) -> tuple[Any, ...]:
        azure = self.connect()
        return azure.ask(LIST, lambda: tuple(filter(self._ours, azure.machines.list_all())))

    def _ours(self, told: Any) -> bool:
        return (told.tags or {}).get(DEPLOYMENT_LABEL) == self.deployment


def _instance(told: Any) -> Instance:
    created = told.time_created
    return Instance(
        node=told.tags.get(NODE_LABEL, ""),
        cluster=told.tags.get(CLUSTER_TAG, ""),
        cloud="azure",
        id=told.id,
        region=told.location,
        started_at=created.astimezone(UTC) if isinstance(created, datetime) else None,
        ended_at=None,
        ending=told.provisioning_state == "Deleting",
    )


def _group(told: Any) -> str:
    """The resource group, which stands in the machine's id."""
    parts: list[str] = told.id.split("/")
    return parts[parts.index(next(part for part in parts if part.lower() == "resourcegroups")) + 1]


def _own_group(told: Any) -> str:
    """What SkyPilot calls the group that it makes for the machine's cluster alone."""
    return f"{told.tags.get(CLUSTER_TAG, '')}-{told.location}".lower()
