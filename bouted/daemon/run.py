"""`bouted run`: puts the daemon together and runs it."""

import asyncio
import logging
from pathlib import Path

from bouted.clock import SystemClock
from bouted.daemon.compose import Outside, compose
from bouted.daemon.health import HealthProber
from bouted.daemon.lock import StateLock
from bouted.daemon.parts import Loaded, feeds_of, launcher_of, load, selection_of
from bouted.daemon.planning import PlanMaker
from bouted.daemon.service import LEASE_S, lease_name
from bouted.daemon.traffic import Traffic
from bouted.errors import Misconfigured
from bouted.planner.client import PlanningWorker
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store, open_store

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(config_path: Path) -> int:
    """Run the daemon until it is told to stop. BoutedError when it cannot start; nothing is started then."""
    loaded = load(config_path)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    for noisy in ("alembic", "apscheduler", "boto3", "botocore", "google", "httpx", "urllib3", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    lock = StateLock(made(loaded.config.state_dir))
    lock.take()
    store = open_store(loaded.config.database_url())
    try:
        asyncio.run(_serve(loaded, store))
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


async def _serve(loaded: Loaded, store: Store) -> None:
    config, clock = loaded.config, SystemClock()
    token = take_lease(store, DAEMON_LEASE, lease_name(config.state_dir), clock.now(), LEASE_S)
    mine = store.fenced(DAEMON_LEASE, token)
    outside = Outside(
        store=mine,
        token=token,
        clock=clock,
        launcher=launcher_of(config),
        prober=HealthProber(clock),
        traffic=Traffic(f"http://{config.listen.gateway_host}:{config.listen.gateway_port}"),
        feeds=feeds_of(loaded),
        maker=PlanMaker(
            store=mine, worker=PlanningWorker(), catalog=loaded.catalog, clock=clock, policy=selection_of
        ),
    )
    await compose(loaded, outside).run()
