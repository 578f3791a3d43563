"""The SkyPilot launcher keeps the contract, with SkyPilot in memory, and real keepers and engines."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bouted.providers.engine_choice import Engines
from bouted.providers.sky_memory import MemorySky
from bouted.providers.sky_memory_parts import memory_parts
from bouted.providers.sky_wire import SkyError
from bouted.providers.skypilot import SkyLauncher

from bouted.clock import SystemClock
from bouted.reconcile.launcher import SeenReplica
from bouted.testing.contracts import LauncherContract, LogsContract
from bouted.testing.processes import until

PACED = {"program": [sys.executable, "-P", "-m", "bouted.providers.paced_engine"], "fetch": False}
SOLD_OUT = SkyError(type="ResourcesUnavailableError", message="Failed to acquire resources in us-east-1a")


class SkyBench:
    """Launchers of any deployment, each with the clusters of its own SkyPilot, in real time."""

    def __init__(self, state_dir: Path) -> None:
        self.clock = SystemClock()
        self.state_dir = state_dir
        self.engines = Engines.from_config({"vllm": PACED}, "engines")
        self.skies: dict[str, MemorySky] = {}
        self.launchers: list[SkyLauncher] = []

    def open(self, deployment: str = "ours", deadman_s: float = 3600.0) -> SkyLauncher:
        root = self.state_dir / deployment
        sky = self.skies.setdefault(deployment, MemorySky(root=root / "clusters", clock=self.clock))
        parts = memory_parts(sky, root, deployment=deployment, lease_s=deadman_s, engines=self.engines)
        launcher = SkyLauncher(parts)
        self.launchers.append(launcher)
        return launcher

    def close(self) -> None:
        for launcher in self.launchers:
            launcher.close()
        for sky in self.skies.values():
            sky.end_all()

    def until(self, done: Callable[[], bool]) -> None:
        until(done, patience_s=40.0)

    def stock_out(self, offers: str) -> None:
        for sky in self.skies.values():
            sky.refused.append((offers, SOLD_OUT))

    def kill(self, replica: SeenReplica) -> None:
        assert replica.pid is not None
        os.killpg(replica.pid, signal.SIGKILL)


class TestSkyLauncher(LauncherContract, LogsContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[SkyBench]:
        bench = SkyBench(tmp_path)
        yield bench
        bench.close()
