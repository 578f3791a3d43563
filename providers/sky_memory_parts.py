"""A SkyPilot launcher whose SkyPilot is in memory (`sky_memory`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bouted.market.offers import Offer

from .engine_choice import Engines
from .sky_instances import Instance, Instances
from .sky_memory import MemorySky
from .sky_parts import Outside, SkyParts, parts_of
from .sky_record import NodeRecord
from .sky_resources import SkyNames


@dataclass(frozen=True, slots=True)
class Doorway:
    """The way to a keeper that runs on this machine."""

    sky: MemorySky
    cluster: str

    def port(self, remote: int) -> int:
        """The keeper listens where it likes, its engines where they say."""
        return remote or self.sky.port(self.cluster)

    def close(self) -> None:
        """Nothing to close."""

    @property
    def folder(self) -> Path:
        """Where its keeper's folder is."""
        return self.sky.keeper(self.cluster).root

    def command(self, *remote: str) -> tuple[str, ...]:
        """This machine's own shell."""
        return ("sh", "-c", " ".join(remote)) if remote else ("sh",)


class NoInstances:
    """A cloud without a list of its own."""

    def list(
        self, offers: Iterable[Offer], known: frozenset[tuple[str, str]] = frozenset()
    ) -> tuple[Instance, ...]:
        """None."""
        return ()

    def end(self, instance: Instance) -> None:
        """Nothing to end."""


class PlainNames:
    """Places whose names are the same everywhere."""

    def names(self, offers: tuple[Offer, ...]) -> SkyNames:
        """No name needs to be learned."""
        return SkyNames()


def memory_parts(
    sky: MemorySky,
    folder: Path,
    *,
    deployment: str,
    lease_s: float,
    engines: Engines,
    instances: Instances | None = None,
) -> SkyParts:
    """The parts of a launcher on `sky`, with its records in `folder`; `instances` is the cloud's own list."""

    def way(record: NodeRecord) -> Doorway:
        return Doorway(sky, record.name)

    outside = Outside(
        clock=sky.clock,
        server=sky,
        api=sky,
        names=PlainNames(),
        instances=instances or NoInstances(),
        way=way,
        keeper_port=0,
    )
    return parts_of(outside, folder, deployment=deployment, lease_s=lease_s, engines=engines, disk_gib=100)
