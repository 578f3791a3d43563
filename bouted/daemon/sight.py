"""Looks at what runs, and writes every move that the evidence supports."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bouted.clock import Clock
from bouted.daemon.bill_times import BillTimes
from bouted.daemon.blindness import Blindness
from bouted.errors import BoutedError
from bouted.reconcile.absence import Absence
from bouted.reconcile.actions import Limits
from bouted.reconcile.adopted import remembered, with_adopted, with_unlisted
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.launcher import Launcher, Seen
from bouted.reconcile.observe import (
    Health,
    NodeMove,
    Observation,
    ReplicaMove,
    awaited,
    listed,
    observe,
)
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.fleet import Refused, load_fleet, move_all, note_told
from bouted.store.notices import note_instances
from bouted.store.open import Store
from bouted.store.snapshot import Snapshot, load_snapshot, refreshed
from bouted.threads import InThread

log = logging.getLogger(__name__)

ABSENT_S = 5.0


class Prober(Protocol):
    """Asks engines how they are; `metrics` is what each last said on /metrics, by replica."""

    metrics: dict[str, str]

    async def probe(self, seen: Seen) -> tuple[Health, ...]:
        """One answer per engine that has an endpoint."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen, what followed from it, and the rows that it was compared with."""

    seen: Seen
    health: tuple[Health, ...]
    observation: Observation
    rows: Snapshot


@dataclass(slots=True, kw_only=True)
class Sight:
    """The eyes of the reconciler.

    Remembers what the launcher's list has lacked, for `absent_s` before that is believed; a restart just
    needs it confirmed again. While the launcher cannot be asked, rows stand in for its list: engines are
    still probed, and nothing is taken to be gone.
    """

    store: Store
    launcher: Launcher
    prober: Prober
    clock: Clock
    limits: Callable[[], Limits]
    in_thread: InThread = asyncio.to_thread
    absent_s: Callable[[], float] = lambda: ABSENT_S
    nodes: Absence = field(default_factory=Absence)
    replicas: Absence = field(default_factory=Absence)
    bill_times: BillTimes = field(init=False)
    blindness: Blindness = field(init=False)

    def __post_init__(self) -> None:
        self.bill_times = BillTimes(store=self.store)
        self.blindness = Blindness(store=self.store, clock=self.clock, launcher=self.launcher.name)

    async def look(self) -> Look:
        """Ask the launcher and the engines, and write what moved."""
        seen = await self._ask()
        rows = load_snapshot(self.store, self.clock.now())
        before = rows.fleet
        known = with_adopted(seen if seen is not None else remembered(before), before)
        health = await self.prober.probe(with_unlisted(known, before))
        now = self.clock.now()
        rows = refreshed(self.store, now, rows)
        fleet = rows.fleet
        if seen is not None:
            self._note_absence(fleet, seen)
        gone = frozenset[str]() if seen is None else self._gone()
        observation = observe(fleet, known, health, self.limits(), now, gone)
        self._write(observation, fleet)
        return Look(seen=known, health=health, observation=observation, rows=rows)

    async def _ask(self) -> Seen | None:
        """The launcher's list; None when it cannot be had, which passes or is told."""
        try:
            seen = await self.in_thread(self.launcher.seen)
        except BoutedError as error:
            self.blindness.failed(error)
            return None
        self.blindness.answered()
        return seen

    def _note_absence(self, fleet: FleetState, seen: Seen) -> None:
        now, (nodes, replicas), (nodes_there, replicas_there) = self.clock.now(), awaited(fleet), listed(seen)
        self.nodes = self.nodes.after(nodes, nodes_there, now)
        self.replicas = self.replicas.after(replicas, replicas_there, now)
        self.blindness.nothing_listed(self.nodes.expected if self.nodes.is_all else 0)

    def _gone(self) -> frozenset[str]:
        now, absent_s = self.clock.now(), self.absent_s()
        return self.nodes.confirmed(now, absent_s) | self.replicas.confirmed(now, absent_s)

    def _write(self, observation: Observation, fleet: FleetState) -> None:
        """All moves at once, nodes first; a row that moved meanwhile is judged anew by the next look."""
        now, before = self.clock.now(), _statuses(fleet)
        for refused in move_all(self.store, (*observation.nodes, *observation.replicas), now):
            name = refused.move.name
            log.warning("%s was %s when looked at: %s", name, before[name], refused.why)
            if self._still(name, before[name]):
                move_all(self.store, (_set_aside(refused),), now)
        note_instances(self.store, observation.instances)
        note_told(self.store, observation.told)
        self.bill_times.note(observation.times, fleet.nodes)

    def _still(self, name: str, before: NodeStatus | ReplicaStatus) -> bool:
        """The row is live, and as it was when it was looked at."""
        fleet = load_fleet(self.store, self.clock.now())
        live = {n.name for n in fleet.nodes if n.live} | {r.name for r in fleet.replicas if r.live}
        return name in live and _statuses(fleet)[name] is before


def _statuses(fleet: FleetState) -> dict[str, NodeStatus | ReplicaStatus]:
    nodes = {node.name: node.status for node in fleet.nodes}
    return {**nodes, **{replica.name: replica.status for replica in fleet.replicas}}


def _set_aside(refused: Refused) -> NodeMove | ReplicaMove:
    """What was seen cannot follow from the row: a person has to look."""
    name, why = refused.move.name, refused.why
    note = f"{why}, but that was seen; look at it, then: bouted reap {name}"
    if isinstance(refused.move, NodeMove):
        return NodeMove(name=name, status=NodeStatus.NEEDS_ATTENTION, reason=Reason.UNEXPECTED, note=note)
    return ReplicaMove(name=name, status=ReplicaStatus.NEEDS_ATTENTION, reason=Reason.UNEXPECTED, note=note)
