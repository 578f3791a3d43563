"""Has SkyPilot's own provisioner fail at a launch, as a cloud's refusal makes it; run with a HOME of its own.

Nothing is asked of any cloud: the step that would is replaced. Arguments: the cluster, and what the cloud
says.
"""

import sys
from contextlib import suppress
from unittest import mock

from sky import clouds
from sky.provision import provisioner
from sky.utils.resources_utils import ClusterName

CLUSTER, SAID = sys.argv[1:]
CONFIG = {
    "provider": {"region": "eastus", "note": "QuotaExceeded stands in the settings, too"},
    "auth": {},
    "head_node_type": "node",
    "available_node_types": {"node": {"node_config": {}}},
}


def refuse(*args: object) -> None:
    """The cloud's error comes after one that was got over."""
    try:
        raise PermissionError("AccessDenied to what is only looked at")
    except PermissionError:
        raise RuntimeError(SAID)  # noqa: B904 (clouds' own code does so)


def stay(*args: object, **named: object) -> None:
    """What is taken down fails as well."""
    provisioner.logger.debug("Failed to terminate: UnauthorizedOperation")


STATE = "sky.provision.provisioner.global_user_state"
with (
    mock.patch(f"{STATE}.get_cluster_yaml_dict", return_value=CONFIG),
    mock.patch(f"{STATE}.open_launch_attempt", return_value=None),
    mock.patch("sky.provision.provisioner._bulk_provision", refuse),
    mock.patch("sky.provision.provisioner.teardown_cluster", stay),
    suppress(RuntimeError),
):
    provisioner.bulk_provision(
        clouds.Azure(),
        clouds.Region("eastus"),
        None,
        ClusterName(CLUSTER, f"{CLUSTER}-01234567"),
        1,
        "cluster.yaml",
        False,
        "~/sky_logs/sky-2026-11-29-20-00-00-000000",
    )
