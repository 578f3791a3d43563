"""Puts the SkyPilot launcher together from its options and a state folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bouted.clock import Clock, SystemClock
from bouted.errors import Misconfigured
from bouted.market.offers import Offer
from bouted.reconcile.checkup import Finding

from .aws_client import AwsClient
from .engine_choice import Engines
from .keepers import Keepers, Way
from .node_token import node_token
from .sky_api import ApiServer, SkyApi
from .sky_backstop import Backstop
from .sky_client import SkyClient
from .sky_doctor import SkyDoctor
from .sky_home import SkyHome
from .sky_instances import Instances
from .sky_learned import StartTimes
from .sky_names import NameBook
from .sky_options import SkyOptions
from .sky_own_lists import own_lists
from .sky_record import NodeRecord, NodeRecords
from .sky_resources import SkyNames, choice_of
from .sky_served import served
from .sky_server import SkyServer
from .sky_task import KEEPER_PORT, NodeTask, node_task
from .sky_times import CloudTimes
from .sky_turn import SkyTurn
from .sky_types import NotLaunchable
from .ssh_tunnel import SshTunnel

AWS_PATIENCE_S, AWS_ATTEMPTS = 20.0, 3


class Names(Protocol):
    """What names at the clouds depend on."""

    def names(self, offers: tuple[Offer, ...]) -> SkyNames:
        """The names that these offers need."""
        ...


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What a launcher meets: SkyPilot's server and calls, the clouds' lists and names, and ways to nodes."""

    clock: Clock
    server: ApiServer
    api: SkyApi
    names: Names
    instances: Instances
    way: Callable[[NodeRecord], Way]
    keeper_port: int = KEEPER_PORT
    check_up: Callable[[], tuple[Finding, ...]] = tuple


@dataclass(frozen=True, kw_only=True)
class SkyParts:
    """What a SkyPilot launcher is made of."""

    clock: Clock
    records: NodeRecords
    keepers: Keepers[NodeRecord]
    turn: SkyTurn
    backstop: Backstop
    engines: Engines
    names: Names
    instances: Instances
    check_up: Callable[[], tuple[Finding, ...]]
    times: StartTimes


def sky_parts(
    options: Mapping[str, object], *, state_dir: Path, deployment: str, deadman_s: float
) -> SkyParts:
    """The parts for a deployment, with everything of it under `<state_dir>/sky`, or in the folder named."""
    asked, clock = SkyOptions.from_config(options), SystemClock()
    folder = asked.folder or state_dir.absolute() / "sky"
    home = SkyHome(folder=folder / "home", port=asked.port)
    aws = AwsClient("", timeout_s=AWS_PATIENCE_S, attempts=AWS_ATTEMPTS)

    def way(record: NodeRecord) -> SshTunnel:
        if record.address is None:
            raise Misconfigured("", f"{record.name} has no address")
        return SshTunnel(folder=folder / "ways" / record.name, address=record.address)

    outside = Outside(
        clock=clock,
        server=SkyServer(
            home=home, clock=clock, prepare=lambda: home.prepare(asked.settings(), asked.credentials_from)
        ),
        api=SkyClient(home),
        names=NameBook(client=aws, kept=folder / "aws-zones.json", owned=asked.infra, images=asked.images),
        instances=own_lists(
            aws=aws,
            credentials_from=asked.credentials_from,
            deployment=deployment,
            user=lambda: home.user,
            clock=clock,
        ),
        way=way,
        check_up=SkyDoctor(home=home, options=asked, served=lambda: served(home, asked)).check_up,
    )
    return parts_of(
        outside,
        folder,
        deployment=deployment,
        lease_s=deadman_s,
        engines=asked.engines,
        disk_gib=asked.disk_gib,
    )


def parts_of(
    outside: Outside, folder: Path, *, deployment: str, lease_s: float, engines: Engines, disk_gib: int
) -> SkyParts:
    """The parts around what is outside; the key of the nodes' tokens is made in `folder` once."""
    key_file, records = folder / "node.key", NodeRecords(folder / "nodes")

    def token(name: str) -> str:
        return node_token(key_file, name)

    def task(record: NodeRecord) -> NodeTask:
        offer = _offer(record)
        choice = choice_of(offer, outside.names.names((offer,)))
        if isinstance(choice, NotLaunchable):
            raise Misconfigured("launcher", f"{offer.id}: {choice.reason}")
        return node_task(
            record.name,
            choice,
            deployment,
            token(record.name),
            gpus=offer.gpu_count,
            lease_s=lease_s,
            disk_gib=disk_gib,
        )

    clock = outside.clock
    keepers = Keepers(clock=clock, way=outside.way, token=token, keeper_port=outside.keeper_port)
    turn = SkyTurn(
        records=records,
        server=outside.server,
        client=outside.api,
        clock=clock,
        task=task,
        word=keepers.word,
        learn_times=CloudTimes(records=records, instances=outside.instances, clock=clock).learn,
        lease_s=lease_s,
    )
    return SkyParts(
        clock=clock,
        records=records,
        keepers=keepers,
        turn=turn,
        backstop=Backstop(
            records=records, server=outside.server, client=outside.api, clock=clock, lease_s=lease_s
        ),
        engines=engines,
        names=outside.names,
        instances=outside.instances,
        times=StartTimes(folder / "start-times.json"),
        check_up=outside.check_up,
    )


def _offer(record: NodeRecord) -> Offer:
    if record.offer is None:
        raise Misconfigured("", f"{record.name} was found running; nothing is known to launch it anew from")
    return record.offer
