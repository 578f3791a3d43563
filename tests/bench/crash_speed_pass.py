"""How long one pass of the real reconciler takes over hundreds of real local replicas."""

import asyncio
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, process_time

from crash_real_deaths import CONFIG, a_given_plan
from crash_speed import Timed

from bouted.clock import SystemClock
from bouted.daemon.compose import Outside, compose
from bouted.daemon.health import HealthProber
from bouted.daemon.identity import lease_name
from bouted.daemon.parts import Loaded, launcher_of, load
from bouted.daemon.service import LEASE_S, Service
from bouted.daemon.traffic import Traffic
from bouted.errors import Retryable
from bouted.planner.plan import PlanStatus
from bouted.reconcile.states import ReplicaStatus
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store
from bouted.store.plans import save_plan, set_desired_plan
from bouted.testing.bench import Bench
from bouted.testing.deployment import free_port
from bouted.testing.doomed import NoSearch
from bouted.testing.fleet import an_offer, planned
from bouted.testing.processes import end_engines
from bouted.testing.store import fresh_store

PER_NODE = 4
ENGINE_MIB = 23  # proportional share, as measured
SPARE_MIB = 6000
PATIENCE_S = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """What was measured over how many replicas that answered."""

    replicas: int
    quiet: Timed
    start_s: float


def passes(wanted: int = 500, runs: int = 10) -> Passes:
    """Starts as many engines as memory allows, up to `wanted`, and times passes once all are ready."""
    count = min(wanted, (_free_mib() - SPARE_MIB) // ENGINE_MIB) // PER_NODE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bouted.yaml").write_text(_config(folder), encoding="utf-8")
        try:
            with closing(fresh_store(folder)) as store:
                return asyncio.run(_measure(load(folder / "bouted.yaml"), store, count, runs))
        finally:
            end_engines(folder)


def _config(folder: Path) -> str:
    config = CONFIG.format(folder=folder, port=free_port())
    config = config.replace("usd_per_hour: 40", "usd_per_hour: 10000")
    return config.replace("drain_s: 1", "drain_s: 1, max_launches: 1000")


async def _measure(loaded: Loaded, store: Store, nodes: int, runs: int) -> Passes:
    offer = an_offer(gpu_count=PER_NODE, obtainable=nodes)
    plan = a_given_plan(store, "many", planned(offer, nodes, small=PER_NODE))
    save_plan(store, plan, PlanStatus.PROPOSED)
    set_desired_plan(store, plan.id)
    service = _service(loaded, store)
    began = monotonic()
    while _ready(service) < nodes * PER_NODE:
        if monotonic() - began > PATIENCE_S:
            raise AssertionError(f"{_ready(service)} of {nodes * PER_NODE} replicas are ready")
        with suppress(Retryable):
            await service.run_pass()
    start_s = monotonic() - began
    wall, cpu = [], []
    for _ in range(runs):
        at, at_cpu = perf_counter(), process_time()
        await service.run_pass()
        wall.append(perf_counter() - at)
        cpu.append(process_time() - at_cpu)
    assert _ready(service) == nodes * PER_NODE, "a pass that loses replicas proves nothing"
    await service.prober.close()
    await service.traffic.close()
    quiet = Timed(wall_s=tuple(wall), cpu_s=tuple(cpu))
    return Passes(replicas=nodes * PER_NODE, quiet=quiet, start_s=start_s)


def _ready(service: Service) -> int:
    fleet = service.last.fleet if service.last is not None else None
    return sum(r.status is ReplicaStatus.READY for r in fleet.replicas) if fleet is not None else 0


def _service(loaded: Loaded, store: Store) -> Service:
    clock = SystemClock()
    holder = lease_name(loaded.config.state_dir)
    token = take_lease(store, DAEMON_LEASE, holder, clock.now(), LEASE_S)
    mine = store.fenced(DAEMON_LEASE, token)
    outside = Outside(
        store=mine,
        token=token,
        clock=clock,
        launcher=launcher_of(loaded.config),
        prober=HealthProber(clock),
        traffic=Traffic(f"http://127.0.0.1:{loaded.config.listen.gateway_port}"),
        feeds=(),
        maker=NoSearch.for_daemon(loaded, mine, clock),
    )
    return compose(loaded, outside)


def _free_mib() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    (available,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(available) // 1024


def pass_rows(bench: Bench, *, quick: bool) -> None:
    """One pass over 500 real local replicas, the board included."""
    found = passes(100 if quick else 500)
    bench.row(
        f"one pass over {found.replicas} real local replicas",
        median(found.quiet.wall_s),
        "s",
        2,
        "lower",
        provided=quick or found.replicas == 500,
    )
    bench.note(f"{found.quiet.told()}; all were ready {found.start_s:.0f} s after the first pass")
