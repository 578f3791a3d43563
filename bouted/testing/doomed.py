"""A real daemon in a forked child that ends itself with kill -9 at one step of what it writes and does.

Its plans are given, not searched for; everything else is `bouted run`. A step is a statement that writes
to the journal (nodes, replicas, actions, spend), the commit of one, or the edge of a call to the launcher.
"""

import asyncio
import os
import re
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, event

from bouted.clock import Clock, SystemClock
from bouted.daemon import service
from bouted.daemon.compose import Outside
from bouted.daemon.health import HealthProber
from bouted.daemon.parts import Loaded, launcher_of, selection_of
from bouted.daemon.planning import PlanMaker
from bouted.daemon.run import Brings, run_with
from bouted.daemon.traffic import Traffic
from bouted.planner.client import PlanningWorker
from bouted.reconcile.launcher import Launcher
from bouted.store.open import Store
from bouted.testing.journalled import JournalledLauncher

PASS_S = 0.1  # passes follow each other faster than in production: nothing here waits for a cloud
_JOURNAL = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM) \"?(nodes|replicas|actions|spend_\w+)\b")
_OPEN = "journal"

Story = Callable[[Store, Launcher], Awaitable[None]]
"""What happens to the daemon while it runs; it is told to stop when the story ends."""


@dataclass(slots=True)
class Steps:
    """Counts the steps from the moment it is armed, writes each into `path`, and kills at `die_at`."""

    path: Path
    die_at: int | None = None
    count: int = 0
    lock: Lock = field(default_factory=Lock)

    def step(self, what: str) -> None:
        """One more; the process may not survive it."""
        with self.lock:
            self.count += 1
            with self.path.open("a", encoding="utf-8") as out:
                out.write(f"{what}\n")
            if self.count == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)


def doomed(config_path: Path, steps: Steps, story: Story) -> int:
    """Forks a daemon that dies at its step, or is stopped when the story ends; returns its pid.

    Its output goes to `daemon.log` beside the config. A forked child has its modules loaded already, which
    is what makes a hundred deaths cheap.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with (config_path.parent / "daemon.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            sys.stdout, sys.stderr = log, log
            service.PASS_S = PASS_S
            try:
                code = run_with(config_path, _brings(steps, story))
            except BaseException:
                traceback.print_exc()
                log.flush()
    finally:
        os._exit(code)


def _brings(steps: Steps, story: Story) -> Brings:
    telling: list[asyncio.Task[None]] = []  # the loop itself holds tasks only weakly

    def brings(loaded: Loaded, store: Store, token: int) -> Outside:
        clock, launcher = SystemClock(), launcher_of(loaded.config)
        _count_writes(store.engine, steps)
        telling.append(asyncio.get_running_loop().create_task(_tell(story, store, launcher)))
        return Outside(
            store=store,
            token=token,
            clock=clock,
            launcher=JournalledLauncher(launcher, steps.step),
            prober=HealthProber(clock),
            traffic=Traffic(f"http://127.0.0.1:{loaded.config.listen.gateway_port}"),
            feeds=(),
            maker=NoSearch.for_daemon(loaded, store, clock),
        )

    return brings


class NoSearch(PlanMaker):
    """Is never asked for a plan: there is nothing on offer."""

    @classmethod
    def for_daemon(cls, loaded: Loaded, store: Store, clock: Clock) -> "NoSearch":
        """The one for a daemon of this config."""
        return cls(
            store=store, worker=PlanningWorker(), catalog=loaded.catalog, clock=clock, policy=selection_of
        )

    def recall(self) -> None:
        """Remembers nothing: the problems of given plans are not real ones."""


async def _tell(story: Story, store: Store, launcher: Launcher) -> None:
    await story(store, launcher)
    os.kill(os.getpid(), signal.SIGTERM)


def _count_writes(engine: Engine, steps: Steps) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def on_statement(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        found = _JOURNAL.match(statement)
        if found:
            connection.info[_OPEN] = True
            steps.step(f"{found[1]} {found[2]}")

    @event.listens_for(engine, "commit")
    def on_commit(connection: Connection) -> None:
        if connection.info.pop(_OPEN, False):
            steps.step("COMMIT")

    @event.listens_for(engine, "rollback")
    def on_rollback(connection: Connection) -> None:
        if not connection.invalidated:
            connection.info.pop(_OPEN, None)
