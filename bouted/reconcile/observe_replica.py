"""What is seen of one replica, turned into its next status. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bouted.reconcile.actions import Limits
from bouted.reconcile.fleet import Fetched, Replica
from bouted.reconcile.launcher import SeenReplica
from bouted.reconcile.states import Reason, ReplicaStatus

START_GRACE_S = 10.0
UNHEALTHY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What one engine answered. `failing_since` is set while it does not answer well; `refused`: nothing
    listens at its address any more."""

    replica: str
    ok: bool
    running: int
    waiting: int
    failing_since: datetime | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an engine tells of itself: its version, "" until known, and what its start fetched."""

    version: str = ""
    fetched: Fetched | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaMove:
    """A replica's new status, and why. `endpoint` is set when it became known."""

    name: str
    status: ReplicaStatus
    reason: Reason
    note: str = ""
    endpoint: str | None = None


def node_ended(replica: Replica) -> ReplicaMove:
    """The end of a replica whose node has ended."""
    status = ReplicaStatus.STOPPED if _was_leaving(replica) else ReplicaStatus.FAILED
    return ReplicaMove(name=replica.name, status=status, reason=Reason.NODE_ENDED)


def replica_move(
    replica: Replica,
    seen: SeenReplica | None,
    health: Health | None,
    limits: Limits,
    now: datetime,
    *,
    gone: bool,
    ours: bool = True,
) -> ReplicaMove | None:
    """The replica's next status, None to stay. `gone`: its absence from the list is confirmed. `ours`: not
    adopted."""
    age_s = (now - replica.since).total_seconds()
    if seen is None and replica.status is not ReplicaStatus.PLANNED:
        return _absent(replica, health, now, gone=gone) or _overdue(replica, limits, age_s)
    if seen is not None and seen.last_word:
        return _died(replica, seen)
    match replica.status:
        case ReplicaStatus.PLANNED if seen is not None:
            return ReplicaMove(name=replica.name, status=ReplicaStatus.STARTING, reason=Reason.OBSERVED)
        case ReplicaStatus.STARTING | ReplicaStatus.WARMING if seen is not None:
            return _starting(replica, seen, health, limits, age_s)
        case ReplicaStatus.READY if seen is not None:
            return _ready(replica, seen, health, now, ours=ours)
        case ReplicaStatus.DRAINING:
            return _overdue(replica, limits, age_s)
        case ReplicaStatus.NEEDS_ATTENTION if health is not None and health.ok:
            if replica.reason is Reason.UNHEALTHY:
                return ReplicaMove(name=replica.name, status=ReplicaStatus.READY, reason=Reason.OBSERVED)
    return None


def newly_told(replicas: Iterable[Replica], seen: Mapping[str, SeenReplica]) -> dict[str, Told]:
    """What engines tell of themselves that their rows do not say yet, by name of the replica."""
    before = {replica.name: Told(version=replica.version, fetched=replica.fetched) for replica in replicas}
    after = {
        name: Told(version=seen[name].version or known.version, fetched=seen[name].fetched or known.fetched)
        for name, known in before.items()
        if name in seen
    }
    return {name: told for name, told in after.items() if told != before[name]}


def _was_leaving(replica: Replica) -> bool:
    """Its end was asked for, whether it came in time or not."""
    late = replica.status is ReplicaStatus.NEEDS_ATTENTION and replica.reason is Reason.TIMEOUT
    return late or replica.status is ReplicaStatus.DRAINING


def _overdue(replica: Replica, limits: Limits, age_s: float) -> ReplicaMove | None:
    """A drain that has had its time, and its engine's end the time for that: nobody waits for it any more."""
    longest_s = limits.drain_s + limits.stop_timeout_s
    if replica.status is not ReplicaStatus.DRAINING or age_s <= longest_s:
        return None
    note = (
        f"still there {longest_s:g} s after it began to drain, and asked again to end;"
        f" look at its node, or: bouted reap {replica.name}"
    )
    return ReplicaMove(
        name=replica.name, status=ReplicaStatus.NEEDS_ATTENTION, reason=Reason.TIMEOUT, note=note
    )


def _absent(replica: Replica, health: Health | None, now: datetime, *, gone: bool) -> ReplicaMove | None:
    """The list lacks it: it is gone once that is confirmed, or at once when nothing listens there either."""
    answers, refused = health is not None and health.ok, health is not None and health.refused
    if answers or not (gone or refused):
        return None
    if _was_leaving(replica):
        return ReplicaMove(name=replica.name, status=ReplicaStatus.STOPPED, reason=Reason.DRAINED)
    starting = replica.status in (ReplicaStatus.STARTING, ReplicaStatus.WARMING)
    if starting and (now - replica.since).total_seconds() < START_GRACE_S:
        return None
    note = "its process ended while starting" if starting else "its process is gone"
    return ReplicaMove(name=replica.name, status=ReplicaStatus.FAILED, reason=Reason.LOST, note=note)


def _died(replica: Replica, seen: SeenReplica) -> ReplicaMove:
    """An engine that never began says nothing about its layout."""
    if _was_leaving(replica):
        return ReplicaMove(name=replica.name, status=ReplicaStatus.STOPPED, reason=Reason.DRAINED)
    reason = Reason.ERROR if seen.unprepared else Reason.LOST
    return ReplicaMove(name=replica.name, status=ReplicaStatus.FAILED, reason=reason, note=seen.last_word)


def _starting(
    replica: Replica, seen: SeenReplica, health: Health | None, limits: Limits, age_s: float
) -> ReplicaMove | None:
    if health is not None and health.ok:
        return ReplicaMove(
            name=replica.name,
            status=ReplicaStatus.READY,
            reason=Reason.OBSERVED,
            endpoint=seen.endpoint,
        )
    if age_s > limits.ready_timeout_s:
        note = f"not ready after {limits.ready_timeout_s:g} s"
        return ReplicaMove(name=replica.name, status=ReplicaStatus.FAILED, reason=Reason.TIMEOUT, note=note)
    if seen.endpoint and replica.status is ReplicaStatus.STARTING:
        return ReplicaMove(
            name=replica.name,
            status=ReplicaStatus.WARMING,
            reason=Reason.OBSERVED,
            endpoint=seen.endpoint,
        )
    return None


def _ready(
    replica: Replica, seen: SeenReplica, health: Health | None, now: datetime, *, ours: bool
) -> ReplicaMove | None:
    failing = health.failing_since if health is not None else None
    if failing is not None and (now - failing).total_seconds() > UNHEALTHY_AFTER_S:
        note = f"/health has failed for {(now - failing).total_seconds():.0f} s"
        status = ReplicaStatus.FAILED if ours else ReplicaStatus.NEEDS_ATTENTION
        return ReplicaMove(name=replica.name, status=status, reason=Reason.UNHEALTHY, note=note)
    if ours and seen.endpoint and seen.endpoint != replica.endpoint:
        return ReplicaMove(
            name=replica.name, status=ReplicaStatus.READY, reason=Reason.OBSERVED, endpoint=seen.endpoint
        )
    if not seen.endpoint and not replica.endpoint:
        hint = f"nobody knows its address; bouted reap {replica.name}"
        return ReplicaMove(
            name=replica.name, status=ReplicaStatus.NEEDS_ATTENTION, reason=Reason.UNEXPECTED, note=hint
        )
    return None
