"""`bouted run`: puts the daemon together and runs it."""

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path

from bouted.clock import SystemClock
from bouted.daemon.compose import Outside, compose
from bouted.daemon.health import HealthProber
from bouted.daemon.identity import lease_name
from bouted.daemon.lock import StateLock
from bouted.daemon.parts import Loaded, feeds_of, launcher_of, load, selection_of, unlaunchable_by
from bouted.daemon.planning import PlanMaker
from bouted.daemon.service import LEASE_S
from bouted.daemon.standby import Standby
from bouted.daemon.traffic import Traffic
from bouted.errors import Misconfigured
from bouted.planner.client import PlanningWorker
from bouted.reconcile.launcher import Closing
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store, check_left_log, open_store
from bouted.store.owner import require_own
from bouted.store.urls import sqlite_path

Brings = Callable[[Loaded, Store, int], Outside]
"""What a daemon meets outside, given its fenced store and its token."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(config_path: Path) -> int:
    """Run the daemon until it is told to stop. BoutedError when it cannot start; nothing is started then.

    Where a database server holds the store and another daemon is active, this one waits as its standby.
    """
    return run_with(config_path, _real_outside)


def run_with(config_path: Path, brings: Brings) -> int:
    """The same, with another outside: for tests that want a real daemon but no search."""
    loaded = load(config_path, to_rent=True)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    for noisy in ("alembic", "boto3", "botocore", "google", "httpx", "urllib3", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # warns of each turn that a job misses
    lock = StateLock(made(loaded.config.state_dir))
    lock.take()
    check_left_log(loaded.config.database_url())
    store = open_store(loaded.config.database_url())
    try:
        require_own(store, loaded.config.deployment, SystemClock().now())
        asyncio.run(_serve(loaded, store, brings))
    finally:
        store.close()
        lock.release()
    return 0


def made(folder: Path) -> Path:
    """`folder`, made if need be; Misconfigured when it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            "state_dir", f"{folder} cannot be made: {error.strerror}", hint="check who owns its parent"
        ) from error
    return folder


async def _serve(loaded: Loaded, store: Store, brings: Brings) -> None:
    token = await _token(store, lease_name(loaded.config.state_dir))
    if token is not None:
        outside = brings(loaded, store.fenced(DAEMON_LEASE, token), token)
        try:
            await compose(loaded, outside).run()
        finally:
            if isinstance(outside.launcher, Closing):
                await asyncio.to_thread(outside.launcher.close)


async def _token(store: Store, holder: str) -> int | None:
    """The lease, as soon as it can be had; None when told to stop before. A store that is a file belongs to
    one machine: AlreadyRunning while another daemon holds it."""
    clock = SystemClock()
    if sqlite_path(store.url) is not None:
        return take_lease(store, DAEMON_LEASE, holder, clock.now(), LEASE_S)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return await Standby(store=store, clock=clock, holder=holder).wait(stop)


def _real_outside(loaded: Loaded, store: Store, token: int) -> Outside:
    config, clock = loaded.config, SystemClock()
    launcher = launcher_of(config)
    return Outside(
        store=store,
        token=token,
        clock=clock,
        launcher=launcher,
        prober=HealthProber(clock),
        traffic=Traffic(f"http://{config.listen.gateway_host}:{config.listen.gateway_port}"),
        feeds=feeds_of(loaded),
        maker=PlanMaker(
            store=store,
            worker=PlanningWorker(),
            catalog=loaded.catalog,
            clock=clock,
            policy=selection_of,
            unlaunchable=unlaunchable_by(launcher),
        ),
    )
