"""One daemon process in the simulated world: the real parts, driven on virtual time until it dies."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from bouted.daemon.compose import Outside, compose
from bouted.daemon.identity import lease_name
from bouted.daemon.parts import Loaded
from bouted.daemon.schedule import Job
from bouted.daemon.service import LEASE_S, Service
from bouted.errors import AlreadyRunning, BoutedError
from bouted.market.asking import Outcome, ask
from bouted.market.notices import Notice
from bouted.market.source import Notices, PriceSource
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store, open_store
from bouted.testing.sim.cloud import Cloud
from bouted.testing.sim.gate import Crash, Gate, watch_engine
from bouted.testing.sim.launcher import SimLauncher, SimProber, Watched
from bouted.testing.sim.market import Load, SimSource, SimTraffic, feeds_of
from bouted.testing.sim.planner import CheapestMaker
from bouted.testing.sim.rash import RashExecutor
from bouted.testing.sim.vtime import InTurn, SkewedClock, TurnLock

LONGEST_STEP_S = 3600.0
WATCHFUL_STEP_S = 300.0  # while something runs that no row explains, or lists and calls are not to be trusted
STEP_GROWS = 4.0
_EACH_TURN = ("run_pass", "poll_traffic", "consider", "ask_prices", "hear_notices", "sweep")
# What steers nothing comes less often, or a day would take several times as long; the board least of all,
# which nobody in this world reads. The house is kept soon enough for what waits on a clock that was set back.
_SLOWED, _SPARED_S = 60.0, {"publish": 600.0, "keep_house": 600.0}
WAIT_FOR_LEASE_S = 5.0


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What every daemon of one world meets."""

    cloud: Cloud
    source: SimSource
    load: Load
    watched: Watched
    rng: Random
    stirred: asyncio.Event
    tell: Callable[[str], None]
    quiet: Callable[[], bool]


@dataclass(slots=True, kw_only=True)
class Daemon:
    """A process: from its start to its end it has one gate, one clock and one handle on the store.

    `paused` holds it between two steps, as SIGSTOP would. `step_s` is how far it steps when nothing happens.
    """

    host: str
    around: Surroundings
    clock: SkewedClock
    gate: Gate
    service: Service | None = None
    store: Store | None = None
    step_s: float = 1.0
    seen: int = 0
    turns: int = 0
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    under_way: set[str] = field(default_factory=set)

    async def live(self, read: Callable[[], Loaded]) -> None:
        """Start, wait for the lease, work; ends by a crash, by being overtaken, or by giving up."""
        self.paused.set()
        try:
            loaded = read()
            self.store = open_store(loaded.config.database_url())
            watch_engine(self.store.engine, self.gate)
            await self._take_lease(loaded)
            self.service = self._composed(loaded, self.store)
            await self.service.begin()
            await self._work(self.service)
        except (Crash, asyncio.CancelledError):
            pass
        except BoutedError as error:
            self.around.tell(f"daemon {self.host} gives up: {error}")
        finally:
            self.gate.die()
            for task in self.tasks:
                task.cancel()
            if self.store is not None:
                self.store.close()

    def freeze(self) -> None:
        """Hold the process where it is: nothing it does goes on until `thaw`."""
        self.paused.clear()

    def thaw(self) -> None:
        """Let it go on, unaware of the time that passed."""
        self.paused.set()

    async def _take_lease(self, loaded: Loaded) -> None:
        assert self.store is not None
        while True:
            try:
                holder = lease_name(loaded.config.state_dir)
                self.gate.token = take_lease(self.store, DAEMON_LEASE, holder, self.clock.now(), LEASE_S)
            except AlreadyRunning:
                await asyncio.sleep(WAIT_FOR_LEASE_S)
            else:
                self.around.tell(f"daemon {self.host} starts")
                return

    def _composed(self, loaded: Loaded, store: Store) -> Service:
        mine = store.fenced(DAEMON_LEASE, self.gate.token)
        outside = Outside(
            store=mine,
            token=self.gate.token,
            clock=self.clock,
            launcher=SimLauncher(cloud=self.around.cloud, gate=self.gate, watched=self.around.watched),
            prober=SimProber(self.around.cloud, self.clock),
            traffic=SimTraffic(self.around.load),
            feeds=feeds_of(self.around.source),
            maker=CheapestMaker(mine, loaded.catalog, self.clock),
            in_thread=InTurn(self.around.rng),
        )
        service = compose(loaded, outside)
        service.market.rng = self.around.rng
        service.market.start = _ask_at_once
        service.notices.start = _hear_at_once
        executor = service.reconciler.executor
        executor = RashExecutor(executor.store, executor.launcher, executor.clock, executor.in_thread)
        setattr(executor, "spending", TurnLock())  # noqa: B010 - no thread to hold up
        service.reconciler.executor = executor
        return service

    async def _work(self, service: Service) -> None:
        """Every job when it is due; time passes in steps that grow while nothing happens."""
        loop = asyncio.get_running_loop()
        jobs = {job.name: job for job in service.jobs()}
        due = dict.fromkeys(jobs, loop.time())
        while not service.stop.is_set() and not self.gate.dead:
            await self.paused.wait()
            self.turns += 1
            for name, job in jobs.items():
                if due[name] <= loop.time() and name not in self.under_way:
                    due[name] = loop.time() + _every_s(job)
                    self._start(service, job)
            await self._finished(2.0)
            if service.market.asking and jobs["ask_prices"].name not in self.under_way:
                self._start(
                    service, jobs["ask_prices"]
                )  # the answer is there: it would be taken in a second on
                await self._finished(2.0)
            self._pace(service)
            await self._sleep()
        if service.fatal is not None:
            raise service.fatal

    def _pace(self, service: Service) -> None:
        """A second while anything moves; longer and longer while nothing does."""
        stirred, self.seen = self.gate.stirred != self.seen, self.gate.stirred
        busy = stirred or bool(service.reconciler.executor.running) or service.replanner.planning
        self.step_s = 1.0 if busy else min(self.step_s * STEP_GROWS, self._longest_s())

    def _longest_s(self) -> float:
        return LONGEST_STEP_S if self.around.quiet() else WATCHFUL_STEP_S

    def _start(self, service: Service, job: Job) -> None:
        async def attend() -> None:
            try:
                await service.attend(job)
            finally:
                self.under_way.discard(job.name)

        self.under_way.add(job.name)
        task = asyncio.get_running_loop().create_task(attend())
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a crash is no news

    async def _finished(self, within_s: float) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=within_s)

    async def _sleep(self) -> None:
        self.around.stirred.clear()
        try:
            await asyncio.wait_for(self.around.stirred.wait(), self.step_s)
        except TimeoutError:
            return


def _every_s(job: Job) -> float:
    every_s = _SPARED_S.get(job.name, job.every_s())
    return every_s if job.name in _EACH_TURN or every_s >= 100.0 else every_s * _SLOWED


def _ask_at_once(source: PriceSource, now: datetime) -> "Future[Outcome]":
    answered: Future[Outcome] = Future()
    answered.set_result(ask(source, now))
    return answered


def _hear_at_once(source: Notices, name: str) -> "Future[tuple[Notice, ...]]":
    return _Listening(source)


class _Listening(Future[tuple[Notice, ...]]):
    """A long poll: its answer is what has come by the time at which somebody looks."""

    def __init__(self, source: Notices) -> None:
        super().__init__()
        self._source = source

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> tuple[Notice, ...]:
        return self._source.notices(0.0)
