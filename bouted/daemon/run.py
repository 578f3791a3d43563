"""`bouted run`: puts the daemon together and runs it."""

import asyncio
import logging
from pathlib import Path

from bouted.clock import SystemClock
from bouted.daemon.alerting import Alerter
from bouted.daemon.health import HealthProber
from bouted.daemon.held_config import HeldConfig
from bouted.daemon.learning import Learner
from bouted.daemon.lock import StateLock
from bouted.daemon.notices import NoticeKeeper
from bouted.daemon.parts import Loaded, feeds_of, launcher_of, load, replan_policy_of, selection_of
from bouted.daemon.past import PastKeeper
from bouted.daemon.planning import PlanMaker
from bouted.daemon.prices import MarketKeeper
from bouted.daemon.reconciling import Reconciler
from bouted.daemon.replanning import Replanner
from bouted.daemon.service import LEASE_S, Service, lease_name
from bouted.daemon.traffic import Traffic
from bouted.errors import Misconfigured
from bouted.planner.client import PlanningWorker
from bouted.reconcile.execute import Executor
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store, open_store

ROUTES = "routes.json"
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
    held, config, clock = HeldConfig(loaded), loaded.config, SystemClock()
    holder = lease_name(config.state_dir)
    token = take_lease(store, DAEMON_LEASE, holder, clock.now(), LEASE_S)
    launcher = launcher_of(config)
    alerter = Alerter(store=store, clock=clock, deployment=config.deployment)
    maker = PlanMaker(
        store=store,
        worker=PlanningWorker(),
        catalog=loaded.catalog,
        clock=clock,
        policy=selection_of,
    )
    replanner = Replanner(store=store, maker=maker, policy=replan_policy_of, clock=clock, token=token)
    replanner.applied = alerter.plan_applied
    reconciler = Reconciler(
        store=store,
        launcher=launcher,
        launcher_name=config.launcher.name,
        deployment=config.deployment,
        executor=Executor(store=store, launcher=launcher, clock=clock),
        prober=HealthProber(clock),
        clock=clock,
        routes_path=config.state_dir / ROUTES,
        limits=held.limits,
        rules=held.rules,
    )
    service = Service(
        held=held,
        store=store,
        token=token,
        clock=clock,
        market=MarketKeeper(store=store, clock=clock, feeds=feeds_of(loaded)),
        traffic=Traffic(f"http://{config.listen.gateway_host}:{config.listen.gateway_port}"),
        reconciler=reconciler,
        replanner=replanner,
        alerter=alerter,
        notices=NoticeKeeper(store=store, clock=clock),
        past=PastKeeper(store=store, clock=clock),
        learner=Learner(store=store, clock=clock),
    )
    await service.run()
