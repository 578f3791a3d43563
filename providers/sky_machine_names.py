"""Which node a machine is, by the name that SkyPilot gave it: for clouds that know no tags."""

import re
from dataclasses import dataclass

from bouted.reconcile.names import is_ours


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNames:
    """SkyPilot calls a machine by its cluster and its part in it, and the cluster there by its name here and
    SkyPilot's user. The cluster of a node has the node's name."""

    deployment: str

    def cluster(self, machine: str) -> tuple[str, str] | None:
        """(node, what SkyPilot calls its cluster there) of a machine; None for what is no node's of a
        deployment of this name."""
        found = re.fullmatch(r"((.+)-[0-9a-f]{8})-(?:head|worker)", machine)
        return (found[2], found[1]) if found is not None and is_ours(self.deployment, found[2]) else None
