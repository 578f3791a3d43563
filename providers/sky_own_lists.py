"""Each cloud's own list of the deployment's instances; a client is loaded only where something runs."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from bouted.clock import Clock

from .aws_client import AwsClient
from .sky_cloud_keys import lambda_key, runpod_key, vast_key
from .sky_instances import AwsInstances, EachCloud, Listing
from .sky_keyed_clouds import LambdaCloud, RunpodCloud, VastCloud
from .sky_keyed_instances import KeyedInstances
from .sky_machine_names import MachineNames


def own_lists(
    *, aws: AwsClient, credentials_from: Path, deployment: str, user: Callable[[], str], clock: Clock
) -> EachCloud:
    """AWS, GCP and Azure by tag, Lambda, RunPod and Vast by name, with the credentials that SkyPilot uses;
    `user` is SkyPilot's."""
    home = credentials_from
    keyed = partial(KeyedInstances, names=MachineNames(deployment=deployment), clock=clock)
    return EachCloud(
        user=user,
        made_by={
            "aws": lambda: AwsInstances(client=aws, deployment=deployment),
            "azure": lambda: _azure(home, deployment),
            "gcp": lambda: _gcp(deployment),
            "lambda": lambda: keyed(provider="lambda", cloud=LambdaCloud(), key=lambda_key(home)),
            "runpod": lambda: keyed(provider="runpod", cloud=RunpodCloud(), key=runpod_key(home)),
            "vast": lambda: keyed(provider="vast", cloud=VastCloud(), key=vast_key(home)),
        },
    )


def _gcp(deployment: str) -> Listing:
    """Google's client takes a second to load."""
    from .gcp_clients import connect_instances
    from .sky_gcp_instances import GcpInstances

    return GcpInstances(connect=cache(connect_instances), deployment=deployment)


def _azure(home: Path, deployment: str) -> Listing:
    """Microsoft's clients come with the extra of that name."""
    from .azure_account import connect_azure
    from .sky_azure_instances import AzureInstances

    return AzureInstances(connect=cache(partial(connect_azure, home)), deployment=deployment)
