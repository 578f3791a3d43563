"""How long to wait before trying again what failed. Pure, and derived from rows, so a restart keeps it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bouted.reconcile.fleet import FleetState, Replica
from bouted.reconcile.states import NodeStatus, ReplicaStatus

FIRST_S = 5.0
MOST_S = 300.0


def try_after(failures: Iterable[datetime], *, free: int) -> datetime | None:
    """When to try again after these failures of the last hour; None for at once.

    The first `free` failures cost nothing (a lost machine is replaced at once); after that the wait
    doubles from 5 s to 5 min.
    """
    times = sorted(failures)
    excess = len(times) - free
    if excess <= 0:
        return None
    return times[-1] + timedelta(seconds=min(MOST_S, FIRST_S * 2 ** (excess - 1)))


def slot_waits(fleet: FleetState, slot: str, now: datetime) -> bool:
    """Whether launches for this slot failed so recently that the next one waits."""
    failures = [n.since for n in fleet.nodes if n.slot == slot and n.status is NodeStatus.FAILED]
    return _waits(try_after(failures, free=1), now)


def place_waits(here: Iterable[Replica], now: datetime) -> bool:
    """Whether the engines at one place of a node failed so recently that the next one waits."""
    failures = [replica.since for replica in here if replica.status is ReplicaStatus.FAILED]
    return _waits(try_after(failures, free=1), now)


def _waits(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until
