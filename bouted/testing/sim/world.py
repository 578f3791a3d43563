"""The simulated world of one day: daemons come and go over one store and one cloud, watched all the time."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from bouted.config.schema import Config
from bouted.reconcile.states import ReplicaStatus
from bouted.testing.sim.announced import Announced, NoticesAreUsed, apart
from bouted.testing.sim.cloud import Cloud, Machine
from bouted.testing.sim.config import LEASE_H, Files, Wish
from bouted.testing.sim.daemon import Daemon, Surroundings
from bouted.testing.sim.faults import Fault, Script, clock_of
from bouted.testing.sim.gate import Crash, Gate
from bouted.testing.sim.invariants import Invariant, LaunchesArePaced, Moment, Violation, all_invariants
from bouted.testing.sim.market import WARES, Load, SimSource
from bouted.testing.sim.money import PriceList
from bouted.testing.sim.rows import NOTHING, Onlooker, Rows
from bouted.testing.sim.vtime import START, SkewedClock, VirtualLoop

RESTART_S = 5.0
PRICES_TOLD_S = 1200.0  # by then a daemon that is up has asked for prices again
CAPS_HOLD_S = 30.0  # a guard that read the config just before an edit may act on it


@dataclass(slots=True)
class World:
    """Holds everything, and judges it. The first violation ends the day."""

    script: Script
    folder: Path
    loop: VirtualLoop
    rng: Random = field(init=False)
    cloud: Cloud = field(init=False)
    source: SimSource = field(init=False)
    around: Surroundings = field(init=False)
    files: Files = field(init=False)
    config: Config = field(init=False)
    onlooker: Onlooker = field(init=False)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    load: Load = field(default_factory=lambda: Load(2.0))
    trace: list[str] = field(default_factory=list)
    invariants: tuple[Invariant, ...] = field(default_factory=all_invariants)
    pace: LaunchesArePaced = field(default_factory=LaunchesArePaced)
    notices: NoticesAreUsed = field(default_factory=NoticesAreUsed)
    announced: set[str] = field(default_factory=set)
    daemons: list[Daemon] = field(default_factory=list)
    rows: Rows = NOTHING
    healthy_s: float = 0.0
    looked_s: float = 0.0
    caps: deque[tuple[float, Decimal]] = field(default_factory=deque)
    repriced_s: float = -1e9
    faulted_s: float = 0.0
    obstructed_until: float = 0.0
    over_cap_until: float = 0.0
    found: Violation | None = None
    crashed: BaseException | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = Random(f"world {self.script.seed}")
        prices = PriceList()
        for ware in WARES:
            prices.set(ware.id, START - timedelta(days=1), ware.usd_per_hour)
        self.cloud = Cloud(
            loop=self.loop,
            rng=self.rng,
            prices=prices,
            stock={ware.id: ware.stock for ware in WARES},
            changed=self.tell,
            stir=self.stirred.set,
            lease_s=LEASE_H * 3600.0,
        )
        self.source = SimSource(prices, self.loop.now)
        self.files = Files(self.folder)
        self.edit(Wish())
        self.onlooker = Onlooker(self.folder / "bouted.db")
        self.around = Surroundings(
            cloud=self.cloud,
            source=self.source,
            load=self.load,
            watched=self,
            rng=self.rng,
            stirred=self.stirred,
            tell=self.tell,
            quiet=self.quiet,
        )

    def tell(self, line: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{clock_of(self.loop.time())} {line}")

    def quiet(self) -> bool:
        """Everything that runs is explained, the provider works as it should, and its prices are known."""
        weather, rows = self.cloud.weather, self.rows.nodes
        explained = all(m.name in rows and rows[m.name].live for m in self.cloud.running())
        told = self.loop.time() > self.repriced_s + PRICES_TOLD_S
        return explained and told and not (weather.lists or weather.failing or weather.slow_s)

    def edit(self, wish: Wish) -> None:
        """People edit the config; the daemons take it up."""
        self.files.write(wish)
        self.config = self.files.load("a").config
        self.caps.append((self.loop.time(), Decimal(wish.budget) + Decimal(wish.surge)))
        for daemon in self.daemons:
            if daemon.service is not None:
                daemon.service.reload_wanted = True
        self.stirred.set()

    def start(self, host: str) -> Daemon:
        """A new daemon process on this host."""
        gate = Gate(rng=self.rng, tell=self.tell, committed=self.committed)
        daemon = Daemon(host=host, around=self.around, clock=SkewedClock(self.loop), gate=gate)
        self.daemons.append(daemon)
        return daemon

    def start_later(self, host: str, after_s: float) -> None:
        """A supervisor starts a daemon on this host after a while, and again whenever it ends."""
        if self.over.is_set() or any(d.host == host and not d.gate.dead for d in self.daemons):
            return

        async def lived() -> None:
            await asyncio.sleep(after_s)
            daemon = self.start(host)
            daemon.gate.on_death = lambda: self.start_later(host, RESTART_S)
            await daemon.live(lambda: self.files.load(host))

        task = self.loop.create_task(lived())
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not _was_made(error):
            self.violated("NoBugs", "a daemon ends with a reason", f"{type(error).__name__}: {error}")
            self.crashed = error

    @property
    def active(self) -> Daemon | None:
        """The daemon that works."""
        for daemon in reversed(self.daemons):
            if daemon.service is not None and not daemon.gate.dead and daemon.paused.is_set():
                return daemon
        return None

    # What is judged, and when.

    def committed(self, gate: Gate) -> None:
        """A daemon has committed something."""
        before, self.rows = self.rows, self.onlooker.rows()
        self._tell_moves(before)
        if gate.token and gate.token < self.rows.token:
            self.violated("Fenced", "an ended daemon writes nothing more", f"token {gate.token} wrote")
        self._judge(self._moment(before), lambda one, at: one.committed(at))

    def ordered(self, gate: Gate, method: str, name: str) -> None:
        """A daemon is about to order something."""
        self.tell(f"daemon: {method} {name}")
        self._judge(self._moment(self.rows), lambda one, at: one.ordered(at, method, name))

    def refused(self, offer_id: str) -> None:
        """A launch was refused."""
        self.tell(f"cloud: refuses {offer_id}")
        self.obstructed_until = self.loop.time() + 3600.0
        detail = self.pace.refused(self.loop.time(), offer_id)
        if detail:
            self.violated("LaunchesArePaced", self.pace.sentence, detail)

    def announce(self, fault: Fault, machine: Machine, takes_s: float) -> Announced:
        """The provider says that it takes this machine."""
        self.passed()
        at = self._moment(self.rows)
        ready = (r for r in self.rows.on(machine.name) if r.status is ReplicaStatus.READY)
        held = sum(other.offer_id == machine.offer_id for other in self.cloud.running())
        self.announced.add(machine.name)
        return Announced(
            machine=machine,
            told_s=at.now_s,
            takes_s=takes_s,
            models=frozenset(replica.model for replica in ready),
            calm=self._calm(at)
            and held < self.cloud.stock[machine.offer_id]
            and apart(fault, self.script.faults, takes_s),
        )

    def taken(self, announced: Announced) -> None:
        """The provider has taken it."""
        self.passed()
        self.notices.taken(self._moment(self.rows), announced)

    def _calm(self, at: Moment) -> bool:
        """A daemon works, nothing stands in its way, and no fault waits for its next move."""
        waits = (
            self.active is None or self.active.gate.countdown is not None or self.cloud.weather.next_launch
        )
        return self._healthy() and not at.obstructed and not waits

    def passed(self) -> None:
        """Time has passed."""
        elapsed, self.looked_s = self.loop.time() - self.looked_s, self.loop.time()
        if self._healthy():
            self.healthy_s += elapsed
        self._judge(self._moment(self.rows), lambda one, at: one.passed(at))

    def require_no_bug(self, record: logging.LogRecord) -> None:
        """What a daemon logs with a traceback is a bug, unless it was made to happen."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or isinstance(error, Crash) or _was_made(error):
            return
        self.violated(
            "NoBugs",
            "nothing is logged with a traceback",
            f"{record.getMessage()}: {type(error).__name__}: {error}",
        )

    def _healthy(self) -> bool:
        weather, active = self.cloud.weather, self.active
        sees = not weather.lists and not weather.failing
        return sees and active is not None and not active.gate.broken and not self.rows.paused

    def troubled(self) -> bool:
        """Something is wrong now that no daemon can mend, or is about to be."""
        weather, active = self.cloud.weather, self.active
        scarce = weather.out or weather.over_quota or weather.late_s or weather.slow_s
        untold = self.loop.time() < self.repriced_s + PRICES_TOLD_S
        wavers = active is None or active.gate.countdown is not None or active.clock.off_s
        return not self._healthy() or bool(scarce or untold or wavers)

    def _moment(self, before: Rows) -> Moment:
        now_s = self.loop.time()
        while len(self.caps) > 1 and self.caps[1][0] < now_s - CAPS_HOLD_S:
            self.caps.popleft()
        caps = max(cap for _, cap in self.caps)
        if self.rows.committed() > min(cap for _, cap in self.caps) - 8:
            self.over_cap_until = now_s + 600.0
        weather = self.cloud.weather
        if weather.out or weather.over_quota or weather.failing or weather.lists or weather.late_s:
            self.obstructed_until = now_s + 3600.0
        return Moment(
            now_s=now_s,
            healthy_s=self.healthy_s,
            rows=self.rows,
            before=before,
            cloud=self.cloud,
            config=self.config,
            caps=caps,
            shedding=self.rows.committed(self.announced) > caps,
            obstructed=now_s < max(self.obstructed_until, self.over_cap_until),
            announced=frozenset(self.announced),
        )

    def _judge(self, at: Moment, ask: Callable[[Invariant, Moment], str]) -> None:
        for one in (*self.invariants, self.notices):
            detail = ask(one, at)
            if detail:
                self.violated(type(one).__name__, one.sentence, detail)

    def violated(self, name: str, sentence: str, detail: str) -> None:
        if self.found is None:
            self.tell(f"VIOLATION of {name}: {detail}")
            self.found = Violation(name, sentence, detail)
            self.over.set()

    def _tell_moves(self, before: Rows) -> None:
        for name, node in self.rows.nodes.items():
            was = before.nodes.get(name)
            if was is None or was.status is not node.status:
                self.tell(f"row: {name} {was.status if was else '-'} -> {node.status} ({node.reason})")
        for name, replica in self.rows.replicas.items():
            earlier = before.replicas.get(name)
            if earlier is None or earlier.status is not replica.status:
                old = earlier.status if earlier else "-"
                self.tell(f"row: {name} {old} -> {replica.status} ({replica.reason})")
        if before.desired != self.rows.desired:
            self.tell(f"row: plan {self.rows.desired} is in force")


def _was_made(error: BaseException) -> bool:
    """Whether the script made this error happen."""
    told = str(error)
    return "disk is full" in told or "database is locked" in told or told == "500 internal error"
