"""The deployment's machines at a cloud that knows no tags and is asked with a key: see `sky_instances`."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from bouted.clock import Clock
from bouted.errors import Gone, SourceFailed
from bouted.market.offers import Offer

from .http_asking import Access, HttpAsking, Patience
from .sky_cloud_keys import CloudKey
from .sky_instances import DEADLINE_S, Instance
from .sky_keyed_clouds import KeyedCloud, Machine
from .sky_machine_names import MachineNames


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedInstances:
    """One such cloud's list, of those machines alone whose names are a deployment's of this name.

    `provider` is what offers call the cloud.
    """

    provider: str
    cloud: KeyedCloud
    key: CloudKey
    names: MachineNames
    clock: Clock

    def list(self, offers: Iterable[Offer]) -> tuple[Instance, ...]:
        """See `Listing`. Raises whatever asking raised: a list cut short looks like a loss."""
        if not any(offer.provider == self.provider for offer in offers):
            return ()
        with self._asking() as asking:
            found = [(self.names.cluster(one.name), one) for one in self.cloud.machines(asking)]
        return tuple(self._instance(*named, machine) for named, machine in found if named is not None)

    def end(self, instance: Instance) -> None:
        """See `Listing`. One that is gone already is no error."""
        with self._asking() as asking, suppress(Gone):
            self.cloud.end(asking, instance.id)

    def _instance(self, node: str, cluster: str, machine: Machine) -> Instance:
        if not machine.id:
            raise SourceFailed(f"{self.provider} lists {machine.name} without an id")
        return Instance(
            node=node,
            cluster=cluster,
            cloud=self.provider,
            id=machine.id,
            started_at=machine.started_at,
            ended_at=None,
            ending=machine.ending,
        )

    def _asking(self) -> HttpAsking:
        access = Access(
            headers={"Authorization": f"Bearer {self.key.read()}"},
            permission=f"to list and end machines ({self.provider} API key)",
            hint=f"make a key with that right and put it into {self.key.file}",
        )
        return HttpAsking(Patience(total_s=DEADLINE_S), access, self.clock.now())
