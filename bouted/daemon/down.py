"""`bouted down`: stop the whole fleet, through the daemon where one runs, by itself where none does."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bouted.clock import Clock, SystemClock
from bouted.config.locate import Located
from bouted.daemon.compose import ROUTES
from bouted.daemon.explaining import Explainer
from bouted.daemon.health import HealthProber
from bouted.daemon.identity import lease_name
from bouted.daemon.lock import StateLock
from bouted.daemon.money import month_so_far_usd
from bouted.daemon.parts import Loaded, launcher_of, load
from bouted.daemon.promises import Promises
from bouted.daemon.reconciling import Reconciler
from bouted.daemon.rollouts import Rollouts
from bouted.daemon.routing import Routing
from bouted.daemon.serving import serving_of
from bouted.daemon.sight import Sight
from bouted.errors import AlreadyRunning, Misconfigured
from bouted.reconcile.adopted import is_adopted
from bouted.reconcile.execute import Executor
from bouted.store.control import update_control
from bouted.store.fleet import load_fleet
from bouted.store.lease import DAEMON_LEASE, lease_holder, lease_now
from bouted.store.open import Store, open_store
from bouted.store.owner import require_own

DEADLINE_S = 180.0
LOOK_S = 0.5


def tear_down(config_path: Path | None, located: Located, say: Callable[[str], None]) -> int:
    """Ask for everything to stop and see it done. 0 when nothing is left, 1 when the deadline passed."""
    if config_path is None:
        raise Misconfigured("", "no config file says which launcher to stop", hint="give --config FILE")
    loaded = load(config_path)
    store = open_store(located.database_url)
    clock = SystemClock()
    try:
        require_own(store, loaded.config.deployment, clock.now())
        update_control(store, clock.now(), "operator", down_requested=True)
        lock = StateLock(loaded.config.state_dir)
        for name in _adopted(store, clock):
            say(f"{name} is somebody else's and goes on; let it go with: bouted adopt --release {name}")
        try:
            lock.take()
        except AlreadyRunning:
            say("the daemon is stopping everything")
            return int(bool(_wait(store, clock, loaded.config.launcher.name, say)))
        try:
            active = partial(_active_elsewhere, store, clock, lease_name(loaded.config.state_dir))
            if active():
                say(f"the daemon at {active()} is stopping everything")
                code = _wait(store, clock, loaded.config.launcher.name, say, led=active)
                if code is not None:
                    return code
            say("no daemon runs; stopping everything from here")
            return asyncio.run(_stop_all(loaded, store, clock, say))
        finally:
            lock.release()
    finally:
        store.close()


def _adopted(store: Store, clock: Clock) -> tuple[str, ...]:
    return tuple(n.name for n in load_fleet(store, clock.now()).nodes if n.live and is_adopted(n))


def _left(store: Store, clock: Clock, launcher: str) -> int:
    """What this launcher started and is still there."""
    fleet = load_fleet(store, clock.now())
    ours = {node.name for node in fleet.nodes if node.launcher == launcher}
    nodes = sum(node.live for node in fleet.nodes if node.name in ours)
    return nodes + sum(replica.live for replica in fleet.replicas if replica.node in ours)


def _active_elsewhere(store: Store, clock: Clock, here: str) -> str:
    """Who holds the daemon's lease in a shared store; "" when nobody does, or only one that died here."""
    held = lease_holder(store, DAEMON_LEASE, lease_now(store, clock.now()))
    return held.holder if held is not None and held.holder != here else ""


def _wait(
    store: Store,
    clock: Clock,
    launcher: str,
    say: Callable[[str], None],
    led: Callable[[], object] = lambda: True,
) -> int | None:
    """Watch the daemon do it; None as soon as none leads any more."""
    until = time.monotonic() + DEADLINE_S
    told = -1
    while time.monotonic() < until:
        if not led():
            return None
        left = _left(store, clock, launcher)
        if left == 0:
            say("everything is stopped; start again with: bouted resume")
            return 0
        if left != told:
            say(f"{left} nodes and replicas left")
            told = left
        time.sleep(LOOK_S)
    say(f"{told} nodes and replicas are still there; see: bouted status")
    return 1


async def _stop_all(loaded: Loaded, store: Store, clock: Clock, say: Callable[[str], None]) -> int:
    """The reconciler's own passes, with nothing wanted."""
    config = loaded.config
    launcher, prober = launcher_of(config), HealthProber(clock)
    reconciler = Reconciler(
        store=store,
        launcher_name=config.launcher.name,
        deployment=config.deployment,
        executor=Executor(store=store, launcher=launcher, clock=clock),
        sight=Sight(store=store, launcher=launcher, prober=prober, clock=clock, limits=config.limits),
        routing=Routing(
            store=store,
            clock=clock,
            path=config.state_dir / ROUTES,
            rules=config.changes.rollout.rules,
        ),
        rollouts=Rollouts(
            store=store,
            clock=clock,
            rules=config.changes.rollout.rules,
            specs=lambda: {model.name: model.spec for model in config.models},
            samples=tuple,
            promises=Promises(store),
        ),
        clock=clock,
        limits=config.limits,
        rules=lambda: config.model_rules(tuple(model.name for model in config.models)),
        month_usd=lambda: month_so_far_usd(store, clock.now(), config.billing_rules()),
        serving=lambda shape: serving_of(loaded, shape),
        explainer=Explainer(store=store, clock=clock),
    )
    until = time.monotonic() + DEADLINE_S
    while _left(store, clock, launcher.name) and time.monotonic() < until:
        await reconciler.run_pass()
        await asyncio.sleep(LOOK_S)
    await reconciler.executor.settle()
    await prober.close()
    left = _left(store, clock, launcher.name)
    say("everything is stopped; start again with: bouted resume" if not left else f"{left} left")
    return 1 if left else 0
