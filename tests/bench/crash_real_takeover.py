"""Two real daemons on one real PostgreSQL: the active one is killed or paused, the other takes over."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

from bouted.providers.file_lock import holder
from crash_real_deaths import CONFIG, FIRST, SECOND, a_given_plan

from bouted.daemon.identity import lease_name
from bouted.daemon.parts import launcher_of, load
from bouted.daemon.service import LEASE_S
from bouted.planner.plan import PlanStatus
from bouted.reconcile.launcher import Launcher, Seen
from bouted.store.lease import DAEMON_LEASE, lease_holder, lease_now
from bouted.store.open import Store, open_store
from bouted.store.plans import save_plan, set_desired_plan
from bouted.store.read_board import read_status
from bouted.testing.deployment import free_port
from bouted.testing.doomed import Steps, doomed
from bouted.testing.fleet import an_offer, planned
from bouted.testing.processes import end_engines, until
from bouted.testing.settled import unsettled

PATIENCE_S = 12 * LEASE_S
LOOK_S = 0.01


@dataclass(slots=True)
class Daemon:
    """One of the two, with a state folder of its own."""

    folder: Path
    pid: int = 0

    @property
    def holder(self) -> str:
        """Its name on a lease."""
        return lease_name(self.folder)

    @property
    def steps(self) -> list[str]:
        """What it journalled, or tried to."""
        path = self.folder / "steps"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def start(self) -> None:
        """Start it, or start it again."""
        self.pid = doomed(self.folder / "bouted.yaml", Steps(self.folder / "steps"), _until_stopped)

    def signal(self, number: signal.Signals) -> None:
        """Signal it."""
        os.kill(self.pid, number)

    def pause(self) -> None:
        """Stop it (SIGSTOP), though not amid a change of the fleet's folder: whoever takes over on the same
        machine would wait for that, and say so."""
        self._stop()
        while holder(self.folder.parent / "fleet" / "lock") == f"{self.pid}":
            self.signal(signal.SIGCONT)
            sleep(LOOK_S)
            self._stop()

    def _stop(self) -> None:
        self.signal(signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)

    def ended(self) -> int:
        """Wait for its end; its exit code, or minus the signal that killed it."""
        deadline = monotonic() + PATIENCE_S
        while True:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            if monotonic() > deadline:
                raise AssertionError(f"{self.holder} does not end")
            sleep(LOOK_S)

    def log(self) -> str:
        """All it said."""
        return (self.folder / "daemon.log").read_text(errors="replace")


@dataclass(slots=True)
class Pair:
    """Two daemons, one store, one fleet. `close` ends all of it."""

    folder: Path
    url: str
    store: Store = field(init=False)
    one: Daemon = field(init=False)
    two: Daemon = field(init=False)

    def __post_init__(self) -> None:
        self.store = open_store(self.url)
        for plan_id, gpu in ((FIRST, "L4"), (SECOND, "A10G")):
            nodes = planned(an_offer(gpu=gpu), 2, small=1)
            save_plan(self.store, a_given_plan(self.store, plan_id, nodes), PlanStatus.PROPOSED)
        set_desired_plan(self.store, FIRST)
        self.one, self.two = self._daemon("one"), self._daemon("two")

    def _daemon(self, name: str) -> Daemon:
        folder = self.folder / name
        folder.mkdir()
        config = CONFIG.format(folder=folder, port=free_port())
        config = config.replace("boot_s: 0", f"boot_s: 0, folder: {self.folder / 'fleet'}")
        config += f"database: {{url: '{self.url}'}}\n"
        (folder / "bouted.yaml").write_text(config, encoding="utf-8")
        return Daemon(folder=folder)

    def seen(self) -> Seen:
        """What runs."""
        return launcher_of(load(self.one.folder / "bouted.yaml").config).seen()

    def active(self) -> str:
        """Who holds the lease now; "" for nobody."""
        held = lease_holder(self.store, DAEMON_LEASE, lease_now(self.store, datetime.now(UTC)))
        return held.holder if held is not None else ""

    def standby(self) -> str:
        """Who waits, as `bouted status` says."""
        return read_status(self.url).waiting(datetime.now(UTC))

    def until_acting(self, daemon: Daemon) -> None:
        """Wait until `daemon` is through its start: it wrote the board."""

        def acts() -> bool:
            board = read_status(self.url).board
            return board is not None and board.pid == daemon.pid

        until(acts, PATIENCE_S)

    def until_settled(self) -> None:
        """Wait until rows, launcher and plan agree; AssertionError tells what does not, and the logs."""
        try:
            until(lambda: not self._unsettled(), PATIENCE_S)
        except AssertionError as why:
            logs = (f"{daemon.holder} said:\n{daemon.log()}" for daemon in (self.one, self.two))
            raise AssertionError("\n".join((f"{why}:", *self._unsettled(), *logs))) from None

    def _unsettled(self) -> tuple[str, ...]:
        return tuple(unsettled(self.store, self.seen(), datetime.now(UTC)))

    def until_active(self, daemon: Daemon) -> float:
        """Seconds until `daemon` holds the lease."""
        return _seconds(lambda: self.active() == daemon.holder)

    def close(self) -> None:
        """End both daemons and the fleet."""
        for daemon in (self.one, self.two):
            if daemon.pid:
                daemon.signal(signal.SIGKILL)
                os.waitpid(daemon.pid, 0)
        end_engines(self.folder)
        with closing(self.store):
            pass


def _seconds(done: Callable[[], bool]) -> float:
    began = monotonic()
    until(done, PATIENCE_S)
    return monotonic() - began


async def _until_stopped(_store: Store, _launcher: Launcher) -> None:
    await asyncio.Event().wait()
