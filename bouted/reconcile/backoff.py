"""How long to wait before trying again what failed. Pure, and derived from rows, so a restart keeps it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from bouted.reconcile.fleet import FleetState, Node, Replica
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus

FIRST_S = 5.0
MOST_S = 300.0

_OF_OFFER = frozenset({Reason.NO_CAPACITY, Reason.QUOTA, Reason.ERROR, Reason.TIMEOUT, Reason.NEVER_UP})
"""Why a launch failed that says something about every other launch of the same offer."""

_NEVER_UP = frozenset({Reason.ERROR, Reason.TIMEOUT, Reason.NEVER_UP})
"""Why only an instance fails that was still being launched."""


def pause_s(times: int) -> float:
    """How long to wait after something failed so many times in a row: from 5 s, doubling, to 5 min."""
    return min(MOST_S, FIRST_S * 2.0 ** min(times - 1, 16))


def try_after(failures: Iterable[datetime], *, free: int) -> datetime | None:
    """When to try again after these failures of the last hour; None for at once.

    The first `free` failures cost nothing (a lost machine is replaced at once); after that the wait
    doubles from 5 s to 5 min.
    """
    times = sorted(failures)
    excess = len(times) - free
    if excess <= 0:
        return None
    return times[-1] + timedelta(seconds=pause_s(excess))


def place_waits(here: Iterable[Replica], now: datetime) -> bool:
    """Whether the engines at one place of a node failed so recently that the next one waits."""
    failures = [replica.since for replica in here if replica.status is ReplicaStatus.FAILED]
    return _waits(try_after(failures, free=1), now)


class LaunchWaits:
    """Which slots and offers have failed so recently that the next launch waits."""

    def __init__(self, fleet: FleetState, now: datetime) -> None:
        self._now = now
        of_slot: defaultdict[str, list[datetime]] = defaultdict(list)
        of_offer: defaultdict[str, list[Node]] = defaultdict(list)
        for node in fleet.nodes:
            of_offer[node.offer.id].append(node)
            if _failed(node):
                of_slot[node.slot].append(node.since)
        self._slots: Mapping[str, list[datetime]] = of_slot
        failures = {offer: failed_launches(nodes, _OF_OFFER) for offer, nodes in of_offer.items()}
        self._failures = {offer: found for offer, found in failures.items() if found}
        self._probed = {
            offer
            for offer, nodes in of_offer.items()
            if any(node.status is NodeStatus.LAUNCHING for node in nodes)
        }

    def slot(self, slot: str) -> bool:
        """Whether launches for this slot failed so recently that the next one waits."""
        return _waits(try_after(self._slots.get(slot, ()), free=1), self._now)

    def offer(self, offer: str) -> bool:
        """Whether the next launch of this offer waits: it failed lately, or one that asks again is under way.

        Whoever comes up clears it.
        """
        failures = self._failures.get(offer)
        if failures is None:
            return False
        return offer in self._probed or _waits(try_after(failures, free=0), self._now)

    def asked(self, offer: str) -> None:
        """A launch of this offer is made now."""
        self._probed.add(offer)


def _failed(node: Node) -> bool:
    """It failed, or was given up and is being ended."""
    return node.status is NodeStatus.FAILED or node.reason is Reason.NEVER_UP


def failed_launches(nodes: Iterable[Node], reasons: Collection[Reason]) -> list[datetime]:
    """When launches of one offer failed so since one last came up; those of one moment count once."""
    nodes = tuple(nodes)
    up = [at for node in nodes if (at := came_up(node)) is not None]
    cleared = max(up) if up else None
    failed = sorted(node.since for node in nodes if _failed(node) and node.reason in reasons)
    episodes: list[datetime] = []
    for at in failed:
        if cleared is not None and at <= cleared:
            continue
        if episodes and (at - episodes[-1]).total_seconds() < FIRST_S:
            episodes[-1] = at
        else:
            episodes.append(at)
    return episodes


def came_up(node: Node) -> datetime | None:
    """When this instance came up, None if it never did: that its bill began is not enough."""
    if _failed(node) and node.reason in _NEVER_UP:
        return None
    if node.status is NodeStatus.UP:
        return max(node.since, node.launched_at) if node.launched_at is not None else node.since
    return node.launched_at


def _waits(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until
