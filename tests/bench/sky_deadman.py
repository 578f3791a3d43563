"""Scenario 6 on real SkyPilot: leases that run out, a dead API server, and many keepers at once."""

import signal
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from bouted.providers.engine_choice import Engines
from bouted.providers.proc_marked import Family
from bouted.providers.sky_memory import MemorySky
from bouted.providers.sky_memory_parts import memory_parts
from bouted.providers.skypilot import SkyLauncher
from sky_stage import SMALL, SPOT_EAST, stage

from bouted.clock import SystemClock
from bouted.reconcile.launcher import NodeOrder
from bouted.testing.bench import Bench
from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.fleet import an_offer
from bouted.testing.processes import until

LEASE_S = 180.0
KEEPERS = 100
TWO = SMALL.replace("}", ", min_replicas: 2}")


def deadman_rows(bench: Bench, cloud: StandInCloud) -> None:
    """First the API server is dead for two leases, then the daemon dies for good."""
    with stage(cloud, "lease") as it:
        it.furnish([SPOT_EAST], models=TWO, deadman_h=LEASE_S / 3600)
        it.begin()
        it.serving_in()
        before = {one.id for one in it.running()}
        with _KeptDead(it.server):
            it.tell("API server dead for two leases")
            sleep(2 * LEASE_S)
            left = {one.id for one in it.running()}
        lost = len(before - left)
        bench.row("6: nodes lost while the API server was dead for two leases", lost, "of 2", 0, "lower")
        ready = sum(replica.status == "ready" for replica in it.until(lambda board: True, "a board").replicas)
        bench.row("6: replicas that served all the while", ready, "of 2", 2, "higher")
        it.processes[0].send_signal(signal.SIGKILL)
        it.processes[0].wait()
        it.tell("daemon killed for good")
        began = monotonic()
        with suppress(AssertionError):
            until(lambda: not it.running(), LEASE_S + 600)
        over_s = monotonic() - began - LEASE_S
        bench.row("6: last node gone after the lease of a dead daemon", over_s, "s over", 120, "lower")
        bench.row("6: nodes left by a dead daemon", len(it.running()), "", 0, "lower")


def renewal_rows(bench: Bench) -> None:
    """The leases of a hundred keepers, each a real process."""
    with tempfile.TemporaryDirectory() as folder:
        root, clock = Path(folder), SystemClock()
        sky = MemorySky(root=root / "clusters", clock=clock, boot_s=0.01)
        engines = Engines.from_config({}, "engines")
        launcher = SkyLauncher(
            memory_parts(sky, root / "ours", deployment="ours", lease_s=3600.0, engines=engines)
        )
        names = tuple(f"node-{number}" for number in range(KEEPERS))
        try:
            for name in names:
                launcher.launch(NodeOrder(name=name, offer=an_offer()))
            until(lambda: sum(node.up for node in launcher.seen().nodes) == KEEPERS, 300)
            began = monotonic()
            launcher.renew(names, 3600.0)
            bench.row("6: a hundred leases renewed", monotonic() - began, "s", 30, "lower")
        finally:
            launcher.close()
            sky.end_all()


class _KeptDead:
    """Kills an API server, and every one that is started in its place."""

    def __init__(self, server: Family) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _kill(self) -> None:
        while not self._over.wait(0.5):
            self._server.end()
