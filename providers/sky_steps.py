"""(a node's record, what SkyPilot and the node's keeper say) -> its next phase, and what to ask for. Pure.

SkyPilot's "UP" proves nothing: a launch that was cut short reads so, too. A node is up when its keeper, the
wrapper that runs on it as the cluster's job, answers under the node's name.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto

from bouted.reconcile.launcher import Refused, Why

from .node_look import Word
from .sky_record import NodeRecord, Phase
from .sky_wire import UNDER_WAY, RequestState, SkyCluster, SkyLook

REACH_S = 180.0  # how long a node that was launched may stay silent before it is given up
SILENT_S = 8.0  # how long a keeper is silent before the cloud is asked
DEAD_S = 30.0  # how long one is silent on a machine that is there before it is started anew
RECHECK_S = 60.0  # how long after a check that said "it is there" the next one waits
CUT_OFF_S = 600.0  # how long a machine that is there may be out of reach before it is given up
MOST_TRIES = 3


class Ask(Enum):
    """What SkyPilot is to be asked for next."""

    NOTHING = auto()
    LAUNCH = auto()
    WHY = auto()  # the launch failed: what it raised decides what comes next
    REFRESH = auto()
    CANCEL_AND_DOWN = auto()
    DOWN = auto()
    RUN_AGAIN = auto()  # the machine is there and its keeper is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The record as it is now, and what to ask for."""

    record: NodeRecord
    ask: Ask = Ask.NOTHING


def next_step(record: NodeRecord, look: SkyLook, word: Word, now: datetime, *, blind: bool = False) -> Next:
    """What follows for one node. `blind`: no other node at its cloud answers either, so that what is broken
    may be our own way there."""
    cluster = look.cluster(record.name)
    record = _with_facts(record, cluster)
    match record.phase:
        case Phase.INTENT:
            return _intent(record, look, word, now)
        case Phase.LAUNCHING:
            return _launching(record, look, word, now)
        case Phase.REACHING:
            return _reaching(record, word, now)
        case Phase.UP:
            return _up(record, word, now)
        case Phase.CHECKING:
            return _checking(record, look, word, now, blind=blind)
        case Phase.ENDING:
            return _ending(record, look, now)
        case Phase.ENDED:
            return Next(record=record)


def failed(record: NodeRecord, why: Refused, cluster: SkyCluster | None, now: datetime) -> Next:
    """A launch that failed, now that it is known why: what it left behind is ended first."""
    record = replace(record, refused=why)
    if cluster is None:
        return Next(record=replace(record.to(Phase.ENDED, now), ended_at=now))
    return Next(record=record.to(Phase.ENDING, now), ask=Ask.DOWN)


def asked_again(record: NodeRecord, now: datetime) -> Next:
    """A launch that failed by accident, and may be asked for once more; there is a limit to that."""
    return Next(record=record.to(Phase.INTENT, now), ask=Ask.LAUNCH)


def _with_facts(record: NodeRecord, cluster: SkyCluster | None) -> NodeRecord:
    if cluster is None:
        return record
    started = record.started_at
    if started is None and cluster.launched_at_s and record.phase in (Phase.REACHING, Phase.UP):
        started = datetime.fromtimestamp(cluster.launched_at_s, UTC)
    return replace(
        record,
        address=cluster.address or record.address,
        said=cluster.said or record.said,
        started_at=started,
    )


def _intent(record: NodeRecord, look: SkyLook, word: Word, now: datetime) -> Next:
    """Whoever wrote the intent may have died before or after asking: a launch under way is taken up. What is
    up is not launched again: its keeper is asked first. One that gives no word is no node yet, whatever its
    cluster is called: a launch that was cut short goes on where it was."""
    running, cluster = look.launching(record.name), look.cluster(record.name)
    if running is not None:
        return Next(record=record.to(Phase.LAUNCHING, now, running.id))
    if word.answers:
        return Next(record=record.to(Phase.UP, now))
    is_up = cluster is not None and cluster.status == "UP" and cluster.address is not None
    if is_up and word.silent_s(now) <= SILENT_S:
        return Next(record=record)
    if record.tries >= MOST_TRIES:
        why = Refused(why=Why.BROKEN, detail=f"{record.tries} launches were asked for and lost")
        return failed(record, why, cluster, now)
    return Next(record=record, ask=Ask.LAUNCH)


def _launching(record: NodeRecord, look: SkyLook, word: Word, now: datetime) -> Next:
    if word.answers:
        return Next(record=record.to(Phase.UP, now))
    request = look.request(record.request)
    if request is None:  # the server that knew it has died; the cluster's name is the same, so it goes on
        return Next(record=record.to(Phase.INTENT, now))
    if request.state in UNDER_WAY:
        return Next(record=record)
    if request.state is RequestState.SUCCEEDED:
        return Next(record=record.to(Phase.REACHING, now))
    return Next(record=record, ask=Ask.WHY)


def _reaching(record: NodeRecord, word: Word, now: datetime) -> Next:
    if word.answers:
        return Next(record=record.to(Phase.UP, now))
    if (now - record.since).total_seconds() <= REACH_S:
        return Next(record=record)
    why = Refused(why=Why.BROKEN, detail=f"launched, and its keeper gave no word in {REACH_S:.0f} s")
    return Next(record=replace(record, refused=why).to(Phase.ENDING, now), ask=Ask.DOWN)


def _up(record: NodeRecord, word: Word, now: datetime) -> Next:
    if word.answers:
        return Next(record=record)
    checked = (now - record.since).total_seconds()
    if word.silent_s(now) > SILENT_S and (word.silent_s(now) < RECHECK_S or checked > RECHECK_S):
        return Next(record=record, ask=Ask.REFRESH)
    return Next(record=record)


def _checking(record: NodeRecord, look: SkyLook, word: Word, now: datetime, *, blind: bool) -> Next:
    """SkyPilot's INIT is a machine that the cloud has and that SkyPilot does not reach either: it may come
    back, and its engines may serve for all we know."""
    if word.answers:
        return Next(record=record.to(Phase.UP, now))
    request = look.request(record.request)
    if request is not None and request.state in UNDER_WAY:
        return Next(record=record)
    cluster = look.cluster(record.name)
    if request is None or request.state is not RequestState.SUCCEEDED:
        return Next(record=record.to(Phase.UP, now))
    if cluster is None:  # SkyPilot forgets what its cloud no longer has
        return Next(record=replace(record.to(Phase.ENDED, now), ended_at=now))
    if cluster.status == "INIT" and (blind or word.silent_s(now) <= CUT_OFF_S):
        return Next(record=record.to(Phase.UP, now))
    if cluster.status != "UP":  # a machine that was stopped does not come back by itself
        return Next(record=record.to(Phase.ENDING, now), ask=Ask.DOWN)
    dead = word.silent_s(now) > DEAD_S
    return Next(record=record.to(Phase.UP, now), ask=Ask.RUN_AGAIN if dead else Ask.NOTHING)


def _ending(record: NodeRecord, look: SkyLook, now: datetime) -> Next:
    """Cancelling gives nothing back, so a launch under way is cancelled and then its cluster ended."""
    if not record.request:
        running = look.launching(record.name)
        return Next(record=record, ask=Ask.DOWN if running is None else Ask.CANCEL_AND_DOWN)
    request = look.request(record.request)
    if request is not None and request.state in UNDER_WAY:
        return Next(record=record)
    if look.cluster(record.name) is None:
        return Next(record=replace(record.to(Phase.ENDED, now), ended_at=now))
    return Next(record=replace(record, request=""))
