"""`bouted reap`: ends by hand what runs and should not, by the daemon where one runs, else from here."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

from bouted.clock import Clock, SystemClock
from bouted.config.locate import Located
from bouted.daemon.lock import StateLock
from bouted.daemon.parts import Loaded, launcher_of, load
from bouted.daemon.sweeping import Sweeper
from bouted.errors import AlreadyRunning, Misconfigured, NotYet
from bouted.reconcile.actions import Action, StopNode, StopReplica
from bouted.reconcile.adopted import is_adopted
from bouted.reconcile.execute import Context, Executor
from bouted.reconcile.fleet import FleetState, Node, Replica, Unreadable
from bouted.reconcile.launcher import Launcher
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.reconcile.sweep import Findings
from bouted.store.control import load_control
from bouted.store.fleet import load_fleet, move_node, move_replica
from bouted.store.lease import DAEMON_LEASE, lease_holder, lease_now
from bouted.store.open import Store, open_store
from bouted.store.owner import require_own
from bouted.store.put_away import put_away

DEADLINE_S = 180.0
LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Haul:
    """All that may be reaped: what a sweep found, and rows that need attention."""

    found: Findings
    nodes: tuple[Node, ...] = ()
    replicas: tuple[Replica, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    def lines(self) -> tuple[tuple[str, str], ...]:
        """(name, what is wrong with it) of each, by name."""
        found = [(node.name, "runs without a row") for node in self.found.orphans]
        found += [(node.name, f"runs although it is {node.status}") for node in self.found.strays]
        found += [(node.name, f"needs attention: {node.note or node.reason}") for node in self.nodes]
        found += [(r.name, f"needs attention: {r.note or r.reason}") for r in self.replicas]
        found += [(row.name, row.why) for row in self.unreadable]
        return tuple(sorted(found))

    def only(self, name: str) -> "Haul":
        """What of it is called that."""
        orphans = tuple(node for node in self.found.orphans if node.name == name)
        strays = tuple(node for node in self.found.strays if node.name == name)
        return Haul(
            found=Findings(orphans=orphans, strays=strays),
            nodes=tuple(node for node in self.nodes if node.name == name),
            replicas=tuple(replica for replica in self.replicas if replica.name == name),
            unreadable=tuple(row for row in self.unreadable if row.name == name),
        )


@dataclass(slots=True, kw_only=True)
class Reaper:
    """Finds, and ends what a person said yes to."""

    store: Store
    launcher: Launcher
    clock: Clock
    loaded: Loaded
    say: Callable[[str], None]

    def find(self) -> Haul:
        """All that may be reaped now, of any age."""
        fleet, sweeper = load_fleet(self.store, self.clock.now()), self._sweeper()
        return Haul(
            found=sweeper.find(self.launcher.sweep(sweeper.known()), by_hand=True),
            nodes=tuple(
                n for n in fleet.nodes if n.status is NodeStatus.NEEDS_ATTENTION and not is_adopted(n)
            ),
            replicas=tuple(r for r in fleet.replicas if _doubtful(r, fleet)),
            unreadable=fleet.unreadable,
        )

    def end(self, haul: Haul) -> int:
        """Ask for all of it to end and see it done. 0 when nothing is left, 1 when the deadline passed."""
        now = self.clock.now()
        self._sweeper().end(haul.found)
        for node in haul.nodes:
            move_node(self.store, node.name, NodeStatus.STOPPING, Reason.OPERATOR, now)
        for replica in haul.replicas:
            move_replica(self.store, replica.name, ReplicaStatus.STOPPED, Reason.OPERATOR, now)
        for row in haul.unreadable:
            self._put_away(row)
        names = frozenset(name for name, _ in haul.lines())
        if self._daemon_acts():
            return self._wait(names)
        lock = StateLock(self.loaded.config.state_dir)
        try:
            lock.take()
        except AlreadyRunning:
            return self._wait(names)
        try:
            return self._end_here(names, haul.replicas)
        finally:
            lock.release()

    def _put_away(self, row: Unreadable) -> None:
        """Stop it by its name, which is all that is known of it, and end its row."""
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                if row.is_node:
                    self.launcher.stop_node(row.name)
                else:
                    self.launcher.stop_replica(row.name, row.node)
                break
            except NotYet:
                if time.monotonic() > until:
                    raise
                time.sleep(LOOK_S)
        put_away(self.store, row.name, self.clock.now())

    def _sweeper(self) -> Sweeper:
        return Sweeper(
            store=self.store,
            launcher=self.launcher,
            clock=self.clock,
            deployment=self.loaded.config.deployment,
            grace_s=lambda: 0.0,
        )

    def _daemon_acts(self) -> bool:
        """A daemon holds the lease, here or on another machine."""
        return lease_holder(self.store, DAEMON_LEASE, lease_now(self.store, self.clock.now())) is not None

    def _left(self, names: frozenset[str]) -> list[str]:
        fleet = load_fleet(self.store, self.clock.now())
        live = [node.name for node in fleet.nodes if node.live]
        live += [replica.name for replica in fleet.replicas if replica.live]
        return [name for name in live if name in names]

    def _wait(self, names: frozenset[str]) -> int:
        """Watch the daemon do it."""
        control = load_control(self.store)
        if control.paused and not control.down_requested:
            self.say("paused: the daemon ends it after: bouted resume")
            return 0
        self.say("the daemon ends it")
        return self._until_gone(names, lambda: None)

    def _end_here(self, names: frozenset[str], engines: tuple[Replica, ...]) -> int:
        """Do it: no daemon runs."""
        self.say("no daemon runs; ending it from here")
        executor = Executor(store=self.store, launcher=self.launcher, clock=self.clock)
        context = _context(self.loaded)

        def act() -> None:
            fleet = load_fleet(self.store, self.clock.now())
            nodes = [node for node in fleet.nodes if node.name in names and node.live]
            actions: list[Action] = [StopNode(node=node) for node in nodes]
            actions += [StopReplica(replica=r) for r in fleet.replicas if r.name in {e.name for e in engines}]
            for action in actions:
                executor.perform(action, context)

        act()
        return self._until_gone(names, act)

    def _until_gone(self, names: frozenset[str], act: Callable[[], None]) -> int:
        until = time.monotonic() + DEADLINE_S
        while left := self._left(names):
            if time.monotonic() > until:
                self.say(f"still there: {', '.join(left)}; see: bouted status")
                return 1
            time.sleep(LOOK_S)
            act()
        self.say("done")
        return 0


def reaper(config_path: Path | None, located: Located, say: Callable[[str], None]) -> Reaper:
    """A reaper on the deployment that the config names; the caller closes its store."""
    if config_path is None:
        raise Misconfigured("", "no config file says which launcher to ask", hint="give --config FILE")
    loaded = load(config_path)
    launcher = launcher_of(loaded.config)
    store, clock = open_store(located.database_url), SystemClock()
    try:
        require_own(store, loaded.config.deployment, clock.now())
    except Misconfigured:
        store.close()
        raise
    return Reaper(store=store, launcher=launcher, clock=clock, loaded=loaded, say=say)


def _doubtful(replica: Replica, fleet: FleetState) -> bool:
    """It needs attention, and is not somebody else's: those come back by themselves."""
    adopted = {node.name for node in fleet.nodes if is_adopted(node)}
    return replica.status is ReplicaStatus.NEEDS_ATTENTION and replica.node not in adopted


def _context(loaded: Loaded) -> Context:
    """Nothing is launched here."""

    def nothing(shape: object) -> NoReturn:
        raise Misconfigured("", "bouted reap starts nothing")

    return Context(
        plan_id="",
        limits=loaded.config.limits(),
        rules=(),
        costs_of=nothing,
        serving=nothing,
        month_usd=lambda: Decimal(0),
        agreed=True,
    )
