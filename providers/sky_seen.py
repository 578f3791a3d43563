"""Records as the reconciler sees nodes. Pure."""

from datetime import UTC, datetime

from bouted.reconcile.launcher import SeenNode

from .sky_record import NodeRecord, Phase
from .sky_wire import SkyCluster

_UP = frozenset({Phase.UP, Phase.CHECKING})
_PROGRESS = {
    Phase.INTENT: "waits for SkyPilot",
    Phase.LAUNCHING: "provisioning",
    Phase.REACHING: "reaching its keeper",
    Phase.ENDING: "ending",
}


def seen_node(record: NodeRecord) -> SeenNode:
    """The node as far as its record tells. Refused launches are told once nothing is left of them."""
    ended = record.phase is Phase.ENDED
    return SeenNode(
        name=record.name,
        up=record.phase in _UP,
        started_at=record.started_at,
        ended_at=record.ended_at if ended else None,
        offer_id=record.offer.id if record.offer is not None else "",
        instance_id=record.instance_id,
        refused=record.refused if ended else None,
        progress=_progress(record),
    )


def seen_cluster(cluster: SkyCluster) -> SeenNode:
    """A cluster that SkyPilot has and of which nothing is on record."""
    started = datetime.fromtimestamp(cluster.launched_at_s, UTC) if cluster.launched_at_s else None
    return SeenNode(name=cluster.name, up=False, started_at=started)


def _progress(record: NodeRecord) -> str:
    word = _PROGRESS.get(record.phase, "")
    return f"{word}: {record.said}" if word and record.said and record.phase is Phase.LAUNCHING else word
