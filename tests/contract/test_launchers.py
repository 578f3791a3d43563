"""Every launcher that ships keeps the launcher's contract."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bouted.providers.engine_choice import Engines
from bouted.providers.local import LocalLauncher
from bouted.providers.local_kept import KeptLauncher

from bouted.clock import SystemClock
from bouted.reconcile.launcher import SeenReplica
from bouted.testing.clock import ManualClock
from bouted.testing.contracts import LauncherContract, LogsContract
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.processes import end_engines, end_kept, until

PACED = {"program": [sys.executable, "-P", "-m", "bouted.providers.paced_engine"], "fetch": False}


class MemoryBench:
    """A cloud in memory, on a clock that a test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.cloud = MemoryCloud(self.clock, end_s=5.0)
        self.stock_out = self.cloud.stock_out

    def open(self, deployment: str = "ours", deadman_s: float = 3600.0) -> MemoryLauncher:
        return MemoryLauncher(self.cloud, deployment, deadman_s=deadman_s)

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(1000):
            if done():
                return
            self.clock.advance(1.0)
        raise AssertionError("1000 s passed in vain")

    def kill(self, replica: SeenReplica) -> None:
        self.cloud.kill_engine(replica.name)


class ThisMachine:
    """Real processes, in real time."""

    def __init__(self, state_dir: Path) -> None:
        self.clock = SystemClock()
        self.state_dir = state_dir

    def until(self, done: Callable[[], bool]) -> None:
        until(done)

    def stock_out(self, offers: str) -> None:
        (self.state_dir / "local").mkdir(exist_ok=True)
        (self.state_dir / "local" / "stockout").write_text(f"{offers}\n")

    def kill(self, replica: SeenReplica) -> None:
        assert replica.pid is not None
        os.kill(replica.pid, signal.SIGKILL)


class LocalBench(ThisMachine):
    """Paced engines of the launcher's own."""

    def open(self, deployment: str = "ours", deadman_s: float = 3600.0) -> LocalLauncher:
        return LocalLauncher(self.state_dir, deployment, boot_s=0.5, deadman_s=deadman_s)


class KeptBench(ThisMachine):
    """Keepers, and paced engines that take vLLM's command line."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir)
        self.launchers: list[KeptLauncher] = []

    def open(self, deployment: str = "ours", deadman_s: float = 3600.0) -> KeptLauncher:
        engines = Engines.from_config({"vllm": PACED}, "engines")
        folder = self.state_dir / "local"
        launcher = KeptLauncher(folder, deployment, engines, boot_s=0.5, deadman_s=deadman_s)
        self.launchers.append(launcher)
        return launcher

    def close(self) -> None:
        for launcher in self.launchers:
            launcher.close()
        end_kept(self.state_dir)


class TestMemoryLauncher(LauncherContract):
    @pytest.fixture
    def bench(self) -> MemoryBench:
        return MemoryBench()


class TestLocalLauncher(LauncherContract, LogsContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[LocalBench]:
        yield LocalBench(tmp_path)
        end_engines(tmp_path)


class TestKeptLauncher(LauncherContract, LogsContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[KeptBench]:
        bench = KeptBench(tmp_path)
        yield bench
        bench.close()
