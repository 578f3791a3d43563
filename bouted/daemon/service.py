"""The daemon: holds the parts, runs them on a schedule, and tells what it sees."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field

from bouted.clock import Clock
from bouted.daemon.alerting import Alerter
from bouted.daemon.deadman import DeadMan
from bouted.daemon.held_config import HeldConfig
from bouted.daemon.identity import lease_name
from bouted.daemon.keeping import HouseKeeper
from bouted.daemon.learning import Learner, Observed
from bouted.daemon.notices import NoticeKeeper
from bouted.daemon.past import PastKeeper
from bouted.daemon.prices import MarketKeeper
from bouted.daemon.publishing import Publisher, status_line
from bouted.daemon.reconciling import Pass, Reconciler
from bouted.daemon.replanning import Beliefs, Replanner
from bouted.daemon.rolling_back import RollBack
from bouted.daemon.schedule import Job, Schedule, always
from bouted.daemon.sight import Prober
from bouted.daemon.sweeping import Sweeper
from bouted.daemon.traffic import Traffic
from bouted.daemon.watching import watch_files
from bouted.errors import AlreadyRunning, BoutedError, Infeasible, Misconfigured, Retryable
from bouted.events import Event, EventKind, Severity
from bouted.reconcile.adopted import is_adopted
from bouted.store.events import add_events
from bouted.store.lease import DAEMON_LEASE, lease_now, release_lease, renew_lease
from bouted.store.open import Store
from bouted.store.plans import desired_plan
from bouted.store.snapshot import Snapshot, load_snapshot, refreshed
from bouted.systemd_notify import notify
from bouted.threads import InThread
from bouted.workload.observe import Measured

log = logging.getLogger(__name__)

PASS_S = 1.0
POLL_S = 1.0
ALERT_S = 10.0
LEARN_S = 60.0
KEEP_S = 60.0
LEASE_S = 15.0
STOP_RENEWAL_FACTOR = 6  # a clean stop leaves the fleet six dead-man spans to be picked up again


@dataclass(slots=True)
class Service:
    """Everything that runs on a schedule. Each job is a few lines; the parts do the work."""

    held: HeldConfig
    store: Store
    token: int
    clock: Clock
    market: MarketKeeper
    traffic: Traffic
    sweeper: Sweeper
    deadman: DeadMan
    prober: Prober
    reconciler: Reconciler
    replanner: Replanner
    rollback: RollBack
    alerter: Alerter
    notices: NoticeKeeper
    past: PastKeeper
    learner: Learner
    house: HouseKeeper
    publisher: Publisher
    in_thread: InThread = asyncio.to_thread
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    last: Pass | None = None
    fatal: BoutedError | None = None
    reload_wanted: bool = False

    async def run(self) -> None:
        """Serve until a signal or a fatal error; the fleet goes on either way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._want_reload)
        self._tell(EventKind.DAEMON_STARTED, Severity.INFO, f"bouted started (pid {os.getpid()})")
        try:
            await self._serve()
        finally:
            await self._close()
        if self.fatal is not None:
            raise self.fatal

    async def _serve(self) -> None:
        lease, *others = self.jobs()
        schedule = Schedule(self.attend)
        schedule.begin()
        schedule.repeat(lease)  # asking for prices may take longer than a lease lasts
        await self.begin()
        watcher = asyncio.create_task(watch_files(self.held.watched, self._want_reload, self.stop))
        for job in others:
            schedule.repeat(job)
        notify("READY=1", f"STATUS={status_line(self.last)}")
        await self.stop.wait()
        notify("STOPPING=1")
        await schedule.quiesce()
        await watcher

    async def begin(self) -> None:
        """What comes before the first turn of any job: memory, prices, a first pass.

        A guard that does not hold, or a broken source, ends the daemon here; a pass that fails does not.
        """
        self.replanner.recall(self.held.config)
        self.market.recall(self.held.config)
        await self.market.refresh(self.held.config)
        self.market.require_sound()
        self.reconciler.begin()
        first = {job.name: job for job in self.jobs()}
        for name in (self.run_pass.__name__, self.publish.__name__):
            await self.attend(first[name])

    def jobs(self) -> tuple[Job, ...]:
        """What is done, and how often, as of now, the lease first; all of it starts at once."""
        steady = (
            (self.keep_lease, LEASE_S / 3),
            (self.run_pass, PASS_S),
            (self.publish, PASS_S),
            (self.poll_traffic, POLL_S),
            (self.consider, PASS_S),
            (self.ask_prices, PASS_S),
            (self.hear_notices, PASS_S),
            (self.send_alerts, ALERT_S),
            (self.learn_odds, LEARN_S),
            (self.learn_speed, LEARN_S),
            (self.keep_house, KEEP_S),
        )
        by_config = ((self.renew_deadman, self.deadman.every_s), (self.sweep, self.held.sweep_s))
        jobs = (*((do, always(every_s)) for do, every_s in steady), *by_config)
        return tuple(Job(name=do.__name__, do=do, every_s=every_s) for do, every_s in jobs)

    async def attend(self, job: Job) -> None:
        """Run a job so that what goes wrong in it ends nothing else. A daemon that was overtaken stops."""
        try:
            await job.do()
        except AlreadyRunning as overtaken:
            self.fatal = overtaken
            self.stop.set()
        except Retryable as later:
            log.warning("%s: %s", job.name, later)
        except BoutedError as refused:
            log.error("%s: %s", job.name, refused)
        except Exception:  # the loop's edge: the next turn of this job starts afresh
            log.exception("%s failed", job.name)

    async def run_pass(self) -> None:
        """One pass of the reconciler; feeds the watchdog, which is for passes that hang. One that waits for a
        database or for room on a disk is alive: to be killed would not help it."""
        if self.stop.is_set():
            return
        if self.reload_wanted:
            self.reload_wanted = False
            self.reload()
        try:
            self.last = await self.reconciler.run_pass()
        except Retryable as later:
            notify("WATCHDOG=1", f"STATUS=waits: {later}")
            raise
        notify("WATCHDOG=1", f"STATUS={status_line(self.last)}")

    async def keep_lease(self) -> None:
        """Extend the lease; without it nothing may be written any more."""
        holder = lease_name(self.held.config.state_dir)
        now = lease_now(self.store, self.clock.now())
        if not renew_lease(self.store, DAEMON_LEASE, holder, self.token, now, LEASE_S):
            raise AlreadyRunning("another daemon took over this store", hint="see: bouted status")

    async def poll_traffic(self) -> None:
        """Fetch what the gateway saw."""
        await self.traffic.poll()

    async def ask_prices(self) -> None:
        """Take in the prices that came, ask the sources whose turn it is."""
        await self.market.tick(self.held.config)

    async def learn_odds(self) -> None:
        """Learn from what the fleet went through, and what prices were before."""
        if self.last is not None:
            self.market.learn(self.last.fleet)
        await self.in_thread(self.past.tick, self.market.feeds)

    async def keep_house(self) -> None:
        """Let old rows go and back up, once a day; mend times after the clock was set back."""
        await self.house.tick(self.held.config.database)

    async def learn_speed(self) -> None:
        """Learn how fast the fleet really is, from gateways and engines."""
        if self.last is not None:
            self.learner.tick(
                Observed(
                    fleet=self.last.fleet,
                    samples=self.traffic.samples,
                    metrics=self.prober.metrics,
                ),
                self.replanner.maker.profiler.predicted,
                {model.name: model.spec for model in self.held.config.models},
            )

    async def hear_notices(self) -> None:
        """Keep what the clouds say about machines they take; the next pass acts on it."""
        self.notices.tick(self.market.feeds)

    async def consider(self) -> None:
        """Go back from a plan that is worse than promised; plan again if there is a reason; give up if there
        is no plan and can be none."""
        offers = self.market.offers(self.held.config)
        if not offers:
            return
        beliefs = Beliefs(
            config=self.held.config,
            offers=offers,
            workload=self.traffic.workload(
                self.held.loaded.declared, self.clock.now().timestamp(), self._window_s()
            ),
            targets_met=self._targets_met(),
        )
        rows = self._rows()
        self.rollback.consider(beliefs, self.traffic.samples, rows)
        self.replanner.consider(beliefs, refreshed(self.store, self.clock.now(), rows))
        failure = self.replanner.failure
        impossible = isinstance(failure, Infeasible | Misconfigured)
        if impossible and desired_plan(self.store) is None and not self._anything_runs():
            self.fatal = failure
            self.stop.set()

    async def send_alerts(self) -> None:
        """Tell Slack what is due."""
        if self.last is not None:
            await self.alerter.tell(
                self.held.config,
                self.last.plan,
                self.last.fleet,
                self.publisher.spend(self.last),
                self.replanner.error,
                self.publisher.incidents(self.last),
            )

    async def publish(self) -> None:
        """Write the status board."""
        if self.last is not None:
            self.publisher.publish(self.last)

    async def renew_deadman(self) -> None:
        """Hold the dead-man switch of every live node."""
        if self.last is not None:
            await self.deadman.renew(self._held_nodes())

    async def sweep(self) -> None:
        """Compare the provider's whole list with the rows."""
        if self.last is not None:
            answering = {h.replica for h in self.last.health if h.ok}
            nodes = frozenset(r.node for r in self.last.fleet.replicas if r.name in answering)
            await self.sweeper.tick(nodes)

    def reload(self) -> None:
        """Take up an edit of the config file, or say why not."""
        edit = self.held.reload()
        if edit.rejected:
            self._tell(EventKind.CONFIG_REJECTED, Severity.WARNING, edit.rejected)
        if edit.feeds is not None:
            self.market.feeds = edit.feeds
        if edit.change is not None:
            paths = ", ".join(edit.change.paths)
            self._tell(EventKind.CONFIG_CHANGED, Severity.INFO, f"config changed: {paths}")

    def _want_reload(self) -> None:
        self.reload_wanted = True

    def _window_s(self) -> float:
        return self.held.config.workload.window_s

    def _measured(self) -> Measured:
        return self.traffic.measured(self.clock.now().timestamp(), self._window_s())

    def _targets_met(self) -> bool | None:
        targets, seen = self.held.config.targets_s(), self._measured()
        pairs = (
            (targets.e2e_p95_s, seen.e2e_p95_s),
            (targets.ttft_p95_s, seen.ttft_p95_s),
            (targets.tpot_p95_s, seen.tpot_p95_s),
        )
        judged = [value <= target for target, value in pairs if target is not None and value is not None]
        return all(judged) if judged else None

    def _anything_runs(self) -> bool:
        return self.last is not None and any(node.live for node in self.last.fleet.nodes)

    def _held_nodes(self) -> tuple[str, ...]:
        """Nodes that must not end by themselves."""
        if self.last is None:
            return ()
        fleet = self.last.fleet
        live = [node.name for node in fleet.nodes if node.live and not is_adopted(node)]
        return (*live, *(row.name for row in fleet.unreadable if row.is_node))

    def _rows(self) -> Snapshot:
        """As the last pass left them, while that is so."""
        now = self.clock.now()
        return (
            load_snapshot(self.store, now)
            if self.last is None
            else refreshed(self.store, now, self.last.rows)
        )

    def _tell(self, kind: EventKind, severity: Severity, message: str) -> None:
        log.info("%s", message)
        event = Event(at=self.clock.now(), kind=kind, severity=severity, subject="bouted", message=message)
        add_events(self.store, (event,))

    async def _close(self) -> None:
        """Leave the fleet running, with time for somebody to come back."""
        await self.reconciler.executor.settle()
        await self.replanner.maker.worker.close()
        with suppress(AlreadyRunning):  # whoever was overtaken has nothing to leave
            await self._leave()
        await self.traffic.close()
        await self.prober.close()

    async def _leave(self) -> None:
        if isinstance(self.fatal, AlreadyRunning):
            return
        nodes = self._held_nodes()
        until = await self.deadman.renew(nodes, STOP_RENEWAL_FACTOR)
        ends = nodes and not self.deadman.failing and self.held.config.safety.deadman_hours is not None
        how_long = f", by itself until {until:%Y-%m-%d %H:%M} UTC" if ends else ""
        after = f"the fleet goes on{how_long}" if nodes or self._anything_runs() else "no node runs"
        self._tell(EventKind.DAEMON_STOPPED, Severity.INFO, f"bouted stopped; {after}")
        release_lease(self.store, DAEMON_LEASE, lease_name(self.held.config.state_dir), self.token)
