"""Compares the provider's whole list with the rows, and writes down what follows.

Nothing is ended here: the row of what must end says STOPPING, and the reconciler's next pass acts on it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.daemon.bill_times import BillTimes
from bouted.errors import BoutedError, Gone, Misconfigured
from bouted.events import Event, EventKind, Severity
from bouted.planner.plan import Plan
from bouted.reconcile.absence import Absence
from bouted.reconcile.adopted import is_adopted
from bouted.reconcile.launcher import KnownNode, Launcher, SeenNode
from bouted.reconcile.names import node_name
from bouted.reconcile.orphans import Known, orphan_row
from bouted.reconcile.states import ImpossibleMove, NodeStatus, Reason
from bouted.reconcile.sweep import FEW, Findings, Rows, Rules, sweep
from bouted.store.control import load_control
from bouted.store.events import add_events
from bouted.store.fleet import add_node, load_fleet, move_node
from bouted.store.known_nodes import known_since, nodes_named
from bouted.store.notices import note_instances
from bouted.store.open import Store
from bouted.store.plans import desired_plan
from bouted.store.prices import believed_offers
from bouted.store.snapshot import Snapshot, load_snapshot
from bouted.threads import InThread

log = logging.getLogger(__name__)

LOOKED_FOR = timedelta(days=4)
"""How long after nodes ended they are looked for: longer than any lease that a daemon leaves."""


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """Remembers what the last sweep lacked, and what it has told. `trouble` says in one line what a person
    must do, "" for nothing."""

    store: Store
    launcher: Launcher
    clock: Clock
    deployment: str
    grace_s: Callable[[], float]
    in_thread: InThread = asyncio.to_thread
    absence: Absence = field(default_factory=Absence)
    first_seen: dict[str, datetime] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    bill_times: BillTimes = field(init=False)
    trouble: str = ""

    def __post_init__(self) -> None:
        self.bill_times = BillTimes(store=self.store)

    async def tick(self, answering: frozenset[str]) -> Findings | None:
        """One sweep; None when the provider's list cannot be had. `answering`: nodes with an engine that
        does."""
        try:
            listed = await self.in_thread(self.launcher.sweep, self.known())
        except BoutedError as error:
            log.warning("%s gives no list to sweep: %s", self.launcher.name, error)
            return None
        found = self.find(listed, answering)
        self.carry_out(found, ends=not load_control(self.store).paused)
        return found

    def known(self) -> tuple[KnownNode, ...]:
        """The nodes that the provider may still list."""
        return known_since(self.store, self.clock.now() - LOOKED_FOR)

    def find(
        self,
        listed: tuple[SeenNode, ...],
        answering: frozenset[str] = frozenset(),
        *,
        by_hand: bool = False,
    ) -> Findings:
        """How the list differs from the rows. `by_hand`: a person decides about each orphan, be they many."""
        now = self.clock.now()
        rows = load_snapshot(self.store, now)
        fleet = rows.fleet
        names = {node.name for node in listed}
        live = frozenset(n.name for n in fleet.nodes if _settled(n.status) and not is_adopted(n))
        self.absence = self.absence.after(live, frozenset(names), now)
        self.first_seen = {name: min(self.first_seen.get(name, now), now) for name in names}
        nodes, unreadable = nodes_named(self.store, names | live)
        return sweep(
            listed,
            Rows(nodes=nodes, unreadable=unreadable, coming=self._coming(rows)),
            Rules(
                deployment=self.deployment,
                grace_s=self.grace_s(),
                most=None if by_hand else max(FEW, len(live)),
            ),
            now,
            gone=self.absence.confirmed(now, absent_s=1.0),
            answering=answering,
            first_seen=self.first_seen,
        )

    def carry_out(self, found: Findings, *, ends: bool) -> None:
        """Write what follows; orphans and strays are only told of unless `ends`."""
        nodes = load_fleet(self.store, self.clock.now()).nodes if found.times else ()
        self.bill_times.note(found.times, nodes)
        note_instances(self.store, found.instances)
        for move in found.closed:
            self._close(move.name, move.status, move.reason, move.ended_at)
        if ends:
            self.end(found)
        self._tell(found, ends=ends)

    def end(self, found: Findings) -> None:
        """Ask for orphans and strays to be ended."""
        now = self.clock.now()
        if found.orphans:
            known = self._known()
            for node in found.orphans:
                add_node(self.store, orphan_row(node, known, now))
        for stray in found.strays:
            note = "found running after it had ended"
            move_node(self.store, stray.name, NodeStatus.STOPPING, Reason.STRAY, now, note=note)

    def _close(self, name: str, status: NodeStatus, reason: Reason, ended_at: datetime | None) -> None:
        note = "the provider's own list says so"
        try:
            move_node(self.store, name, status, reason, self.clock.now(), ended_at=ended_at, note=note)
        except (ImpossibleMove, Gone, Misconfigured) as moved:
            log.warning("%s moved meanwhile, the next sweep judges anew: %s", name, moved)

    def _coming(self, rows: Snapshot) -> frozenset[str]:
        """The names that launches for unfilled slots of the plan would have next."""
        if rows.plan is None or rows.control.down_requested:
            return frozenset()
        filled = {node.slot for node in rows.fleet.nodes if node.live}
        used = dict(rows.fleet.incarnations)
        return frozenset(
            node_name(self.deployment, slot, used.get(slot, 0) + 1) for slot in _slots(rows.plan) - filled
        )

    def _known(self) -> Known:
        plan = desired_plan(self.store)
        slots = {slot for slot, _ in load_fleet(self.store, self.clock.now()).incarnations}
        slots |= _slots(plan) if plan is not None else set()
        return Known(
            deployment=self.deployment,
            launcher=self.launcher.name,
            slots=tuple(sorted(slots)),
            offers={offer.id: offer for offer in believed_offers(self.store)},
        )

    def _tell(self, found: Findings, *, ends: bool) -> None:
        """An event for each finding that is new."""
        then = "it is ended" if ends else "paused, so it is left running"
        said = {f"{node.name} runs without a row: {then}": Severity.WARNING for node in found.orphans}
        said |= {f"{node.name} runs although it had ended: {then}": Severity.WARNING for node in found.strays}
        said |= {
            f"{node.name} runs without a row: too young to judge": Severity.NOTICE for node in found.young
        }
        said |= {
            f"{node.name} runs without a row: the plan takes it over": Severity.NOTICE for node in found.taken
        }
        self.trouble = _too_many(found.held)
        if self.trouble:
            said[self.trouble] = Severity.WARNING
        now, fresh = self.clock.now(), [text for text in said if text not in self.told]
        self.told = set(said)
        for text in fresh:
            log.warning("%s", text)
        add_events(
            self.store,
            tuple(
                Event(
                    at=now,
                    kind=EventKind.SWEEP,
                    severity=said[text],
                    subject=text.split(" ", 1)[0],
                    message=text,
                )
                for text in fresh
            ),
        )


def _too_many(held: tuple[SeenNode, ...]) -> str:
    if not held:
        return ""
    return (
        f"{len(held)} nodes run under our mark without a row, more than bouted ends by itself:"
        " is this the right database? see: bouted reap --dry-run"
    )


def _settled(status: NodeStatus) -> bool:
    """The provider's list ought to hold it."""
    return status in (NodeStatus.UP, NodeStatus.STOPPING, NodeStatus.NEEDS_ATTENTION)


def _slots(plan: Plan) -> set[str]:
    return {node.slot for node in plan.design.nodes}
