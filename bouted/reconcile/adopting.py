"""The rows of an endpoint that somebody else runs. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from bouted.catalog.precision import Precision
from bouted.errors import Misconfigured
from bouted.market.offers import Confidence, Market, Offer
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.planner.planned import Template
from bouted.reconcile.adopted import ADOPTED, Address, is_adopted
from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.names import replica_name
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus

UNKNOWN_GPU = "unknown"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What was said of an endpoint, and what it said itself: its address and its engine."""

    address: Address
    engine: Engine
    model: str
    usd_per_hour: Decimal
    gpu: str = UNKNOWN_GPU
    gpus: int = 1
    name: str = ""


def base_url(url: str) -> str:
    """The URL that /health and /v1 are under; Misconfigured for what is no such URL."""
    hint = "give it as http://HOST:PORT"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise Misconfigured("", f"{url} is no URL: {error}", hint=hint) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured("", f"{url} is no URL of an engine", hint=hint)
    if parts.username or parts.query or parts.fragment:
        raise Misconfigured("", f"{url} holds more than an address", hint=hint)
    path = parts.path.rstrip("/").removesuffix("/v1")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}"


def rows_of(adoption: Adoption, fleet: FleetState, now: datetime) -> tuple[Node, Replica]:
    """A node that is up and a replica that serves; Misconfigured when the endpoint or the name is taken."""
    _require_new(adoption, fleet)
    slot = f"{ADOPTED}/{adoption.name or _plain(adoption.address.base_url)}"
    incarnation = dict(fleet.incarnations).get(slot, 0) + 1
    name = slot.removeprefix(f"{ADOPTED}/") + (f"-{incarnation}" if incarnation > 1 else "")
    shape = ReplicaShape(
        model=adoption.model,
        gpu=adoption.gpu,
        tp=adoption.gpus,
        pp=1,
        precision=Precision.BF16,
        engine=adoption.engine,
    )
    node = Node(
        name=name,
        slot=slot,
        incarnation=incarnation,
        plan_id="",
        offer=_offer(adoption, now),
        template=Template(gpu=adoption.gpu, gpu_count=adoption.gpus, replicas=(shape,)),
        launcher=ADOPTED,
        status=NodeStatus.UP,
        reason=Reason.ADOPTED,
        since=now,
        launched_at=None,
    )
    replica = Replica(
        name=replica_name(name, 0, 1),
        node=name,
        position=0,
        incarnation=1,
        shape=shape,
        status=ReplicaStatus.READY,
        reason=Reason.ADOPTED,
        since=now,
        endpoint=str(adoption.address),
    )
    return node, replica


def _require_new(adoption: Adoption, fleet: FleetState) -> None:
    if adoption.name and not _NAME.fullmatch(adoption.name):
        hint = "letters, digits, '.', '_' and '-', 60 at most"
        raise Misconfigured("", f"{adoption.name!r} cannot be a name", hint=hint)
    live = {node.name: node for node in fleet.nodes if node.live}
    for replica in fleet.replicas:
        if replica.live and Address.parse(replica.endpoint).base_url == adoption.address.base_url:
            node = live.get(replica.node)
            hint = f"bouted adopt --release {node.name}" if node is not None and is_adopted(node) else ""
            taken = f"{adoption.address.base_url} is in the fleet already, as {replica.node}"
            raise Misconfigured("", taken, hint=hint)
    if adoption.name in live:
        raise Misconfigured("", f"there is a node called {adoption.name} already", hint="give another --name")


def _offer(adoption: Adoption, now: datetime) -> Offer:
    """What it costs, as an offer that nobody can take."""
    return Offer(
        provider=ADOPTED,
        region=_plain(adoption.address.base_url),
        zone="",
        instance_type=f"{adoption.gpus}x{adoption.gpu}",
        gpu=adoption.gpu,
        gpu_count=adoption.gpus,
        market=Market.ON_DEMAND if adoption.usd_per_hour else Market.OWNED,
        usd_per_hour=adoption.usd_per_hour,
        obtainable=0,
        hazard_per_hour=0.0,
        source=ADOPTED,
        observed_at=now,
        confidence=Confidence.HIGH,
    )


def _plain(url: str) -> str:
    """A URL as a name: `http://10.0.0.5:8000` is `adopted-10.0.0.5-8000`."""
    return f"{ADOPTED}-{re.sub(r'[^A-Za-z0-9.]+', '-', url.partition('://')[2]).strip('-')}"
