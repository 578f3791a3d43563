"""Which node a machine belongs to, by the name that SkyPilot gave it: for clouds that know no tags."""

import re
from dataclasses import dataclass

from bouted.reconcile.names import is_ours


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNames:
    """SkyPilot calls the machines of a cluster by the cluster's name, its user's hash and their part in it.

    `user` is the deployment's own: what another deployment, or a person's `sky`, launched has another.
    """

    deployment: str
    user: str

    def node(self, machine: str) -> str:
        """The node that a machine of this name is; "" for what is not the deployment's."""
        found = re.fullmatch(rf"(.+)-{re.escape(self.user)}-(?:head|worker)", machine)
        return found[1] if found is not None and is_ours(self.deployment, found[1]) else ""
