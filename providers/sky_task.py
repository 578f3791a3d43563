"""The one task that every SkyPilot cluster of a deployment runs: the node's keeper."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import node_keeper
from .node_end import sky_end_command
from .node_token import TOKEN
from .sky_resources import SkyChoice, resources_config

KEEPER_PORT = 18900
DEPLOYMENT_LABEL, NODE_LABEL = "bouted-deployment", "bouted-node"
BACKSTOP_LEASES = 4
"""SkyPilot's autodown is the backstop behind the keeper's lease: so many of them."""
LONGEST_LEASE_S = 365 * 24 * 3600.0  # what is longer means: never
_FOLDER = "~/.bouted"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTask:
    """What SkyPilot is asked for: the task's config, and apart from it what nobody may read."""

    config: Mapping[str, object]
    secrets: Mapping[str, str]


def node_task(
    name: str,
    choice: SkyChoice,
    deployment: str,
    token: str,
    *,
    gpus: int,
    lease_s: float,
    disk_gib: int,
) -> NodeTask:
    """The task that rents one node and runs its keeper there."""
    labels = {DEPLOYMENT_LABEL: deployment, NODE_LABEL: name}
    resources = {**resources_config(choice, labels), "disk_size": disk_gib}
    keeper = f"{_FOLDER}/node_keeper.py"
    config = {
        "name": name,
        "resources": resources,
        "file_mounts": {keeper: str(Path(node_keeper.__file__).absolute())},
        "run": _command(keeper, name, gpus, lease_s),
    }
    return NodeTask(config=config, secrets={TOKEN: token})


def _command(keeper: str, name: str, gpus: int, lease_s: float) -> str:
    """The end command stands last: all that follows `--end` is it."""
    lease_s = math.inf if lease_s > LONGEST_LEASE_S else lease_s
    fixed = ("--node", name, "--port", str(KEEPER_PORT), "--gpus", str(gpus), "--lease-s", f"{lease_s:g}")
    return (
        f"exec python3 {keeper} {shlex.join(fixed)} --folder {_FOLDER} --end {shlex.join(sky_end_command())}"
    )


def backstop_min(lease_s: float) -> int:
    """Minutes after which a node takes itself down through SkyPilot, whatever its keeper does; 0: never."""
    return 0 if lease_s > LONGEST_LEASE_S else max(1, math.ceil(BACKSTOP_LEASES * lease_s / 60))
