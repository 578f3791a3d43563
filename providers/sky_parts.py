"""Puts the SkyPilot launcher together from its options and a state folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bouted.clock import Clock, SystemClock
from bouted.errors import Misconfigured
from bouted.market.offers import Offer

from .aws_client import AwsClient
from .engine_choice import Engines
from .sky_client import SkyClient
from .sky_home import SkyHome, user_of
from .sky_instances import AwsInstances, Instances
from .sky_keepers import Keepers
from .sky_names import NameBook
from .sky_options import SkyOptions
from .sky_record import NodeRecord, NodeRecords
from .sky_resources import choice_of
from .sky_server import SkyServer
from .sky_task import KEEPER_PORT, NodeTask, node_task, node_token
from .sky_turn import SkyTurn
from .sky_types import NotLaunchable
from .ssh_tunnel import SshTunnel

AWS_PATIENCE_S, AWS_ATTEMPTS = 20.0, 3


@dataclass(frozen=True, kw_only=True)
class SkyParts:
    """What a SkyPilot launcher is made of; tests bring their own."""

    deployment: str
    lease_s: float
    clock: Clock
    records: NodeRecords
    keepers: Keepers
    turn: SkyTurn
    engines: Engines
    names: NameBook
    instances: Instances


def sky_parts(
    options: Mapping[str, object], *, state_dir: Path, deployment: str, deadman_s: float
) -> SkyParts:
    """The parts for a deployment, with everything of it under `<state_dir>/sky`."""
    asked, folder, clock = SkyOptions.from_config(options), state_dir.absolute() / "sky", SystemClock()
    home = SkyHome(folder=folder / "home", port=asked.port, user=user_of(deployment))
    home.prepare(asked.settings(), asked.credentials_from)
    aws = AwsClient("", timeout_s=AWS_PATIENCE_S, attempts=AWS_ATTEMPTS)
    names = NameBook(client=aws, kept=folder / "aws-zones.json")
    key_file, records = folder / "node.key", NodeRecords(folder / "nodes")

    def task(record: NodeRecord) -> NodeTask:
        choice = choice_of(_offer(record), names.names((_offer(record),)))
        if isinstance(choice, NotLaunchable):
            raise Misconfigured("launcher", f"{_offer(record).id}: {choice.reason}")
        token = node_token(key_file, record.name)
        return node_task(record.name, choice, deployment, token, lease_s=deadman_s, disk_gib=asked.disk_gib)

    def way(record: NodeRecord) -> SshTunnel:
        assert record.address is not None
        return SshTunnel(folder=folder / "ways" / record.name, address=record.address)

    keepers = Keepers(
        clock=clock, way=way, token=lambda name: node_token(key_file, name), keeper_port=KEEPER_PORT
    )
    return SkyParts(
        deployment=deployment,
        lease_s=deadman_s,
        clock=clock,
        records=records,
        keepers=keepers,
        turn=SkyTurn(
            records=records,
            server=SkyServer(home=home, clock=clock),
            client=SkyClient(home),
            clock=clock,
            task=task,
            word=keepers.word,
            lease_s=deadman_s,
        ),
        engines=asked.engines,
        names=names,
        instances=AwsInstances(client=aws, deployment=deployment),
    )


def _offer(record: NodeRecord) -> Offer:
    if record.offer is None:
        raise Misconfigured("", f"{record.name} was found running; nothing is known to launch it anew from")
    return record.offer
