"""Which engines of the fleet did not start because of their layout. Pure."""

from collections import Counter
from collections.abc import Mapping

from bouted.perf.refused import RefusedStart, StartFailure
from bouted.reconcile.fleet import FleetState, Replica
from bouted.reconcile.states import Reason, ReplicaStatus

ENOUGH = 2
"""Engines of one shape that must have died while starting, with none that runs: one may have had bad luck."""
_MEMORY = ("out of memory", "outofmemory", "no available memory for the cache blocks")


def failed_starts(fleet: FleetState, specs: Mapping[str, str]) -> dict[str, RefusedStart]:
    """What failed starts say about layouts, by the replica's name; `specs` is each model's catalog name.

    Memory is to blame when the last word says so; the layout when several engines of it ended before they
    listened and none ever answered. What never came up in time says nothing, nor does what a launcher refused
    to start or could not install or fetch (Reason.ERROR): no engine ran.
    """
    died = [replica for replica in fleet.replicas if _died_starting(replica)]
    counts = Counter(replica.shape for replica in died)
    answered = {replica.shape for replica in fleet.replicas if replica.endpoint}
    found: dict[str, RefusedStart] = {}
    for replica in died:
        spec = specs.get(replica.shape.model)
        memory = any(word in replica.note.lower() for word in _MEMORY)
        layout = counts[replica.shape] >= ENOUGH and replica.shape not in answered
        if spec is not None and (memory or layout):
            kind = StartFailure.OOM if memory else StartFailure.REFUSED
            found[replica.name] = _start(replica, spec, kind)
    return found


def _died_starting(replica: Replica) -> bool:
    return replica.status is ReplicaStatus.FAILED and replica.reason is Reason.LOST and not replica.endpoint


def _start(replica: Replica, spec: str, kind: StartFailure) -> RefusedStart:
    shape = replica.shape
    return RefusedStart(
        model=spec,
        gpu=shape.gpu,
        tp=shape.tp,
        pp=shape.pp,
        precision=shape.precision,
        engine=shape.engine,
        kind=kind,
        at=replica.since,
        detail=" ".join(replica.note.split()),
    )
