"""Looks at what runs, and writes every move that the evidence supports."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bouted.clock import Clock
from bouted.daemon.bill_times import BillTimes
from bouted.daemon.blindness import Blindness
from bouted.errors import BoutedError, Gone, Misconfigured
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
from bouted.reconcile.states import ImpossibleMove, NodeStatus, Reason, ReplicaStatus
from bouted.store.fleet import load_fleet, move_node, move_replica
from bouted.store.open import Store
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
    """What was seen, and what followed from it."""

    seen: Seen
    health: tuple[Health, ...]
    observation: Observation


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
        before = load_fleet(self.store, self.clock.now())
        known = with_adopted(seen if seen is not None else remembered(before), before)
        health = await self.prober.probe(with_unlisted(known, before))
        fleet, now = load_fleet(self.store, self.clock.now()), self.clock.now()
        if seen is not None:
            self._note_absence(fleet, seen)
        gone = frozenset[str]() if seen is None else self._gone()
        observation = observe(fleet, known, health, self.limits(), now, gone)
        self._write(observation, fleet)
        return Look(seen=known, health=health, observation=observation)

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
        nodes = {node.name: node.status for node in fleet.nodes}
        for move in observation.nodes:
            self._move_node(move, nodes[move.name])
        replicas = {replica.name: replica.status for replica in fleet.replicas}
        for change in observation.replicas:
            self._move_replica(change, replicas[change.name])
        self.bill_times.note(observation.times, fleet.nodes)

    def _move_node(self, move: NodeMove, before: NodeStatus) -> None:
        """Write it; a row that moved meanwhile is judged anew by the next look."""
        now = self.clock.now()
        try:
            move_node(
                self.store,
                move.name,
                move.status,
                move.reason,
                now,
                launched_at=move.launched_at,
                ended_at=move.ended_at,
                note=move.note,
            )
        except (ImpossibleMove, Gone, Misconfigured) as refused:
            log.warning("%s was %s when looked at: %s", move.name, before, refused)
            if self._still(move.name, before):
                note = _hint(move.name, refused)
                move_node(
                    self.store, move.name, NodeStatus.NEEDS_ATTENTION, Reason.UNEXPECTED, now, note=note
                )

    def _move_replica(self, move: ReplicaMove, before: ReplicaStatus) -> None:
        now = self.clock.now()
        try:
            move_replica(
                self.store, move.name, move.status, move.reason, now, endpoint=move.endpoint, note=move.note
            )
        except (ImpossibleMove, Gone, Misconfigured) as refused:
            log.warning("%s was %s when looked at: %s", move.name, before, refused)
            if self._still(move.name, before):
                note = _hint(move.name, refused)
                move_replica(
                    self.store, move.name, ReplicaStatus.NEEDS_ATTENTION, Reason.UNEXPECTED, now, note=note
                )

    def _still(self, name: str, before: NodeStatus | ReplicaStatus) -> bool:
        """The row is live, and as it was when it was looked at."""
        fleet = load_fleet(self.store, self.clock.now())
        now = {n.name: n.status for n in fleet.nodes if n.live}
        now_too = {r.name: r.status for r in fleet.replicas if r.live}
        return before in (now.get(name), now_too.get(name))


def _hint(name: str, refused: Exception) -> str:
    return f"{refused}, but that was seen; look at it, then: bouted reap {name}"
