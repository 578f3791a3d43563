"""Every launcher that ships keeps the launcher's contract."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bouted.providers.local import LocalLauncher

from bouted.clock import SystemClock
from bouted.reconcile.launcher import SeenReplica
from bouted.testing.clock import ManualClock
from bouted.testing.contracts import LauncherContract, LogsContract
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.processes import end_engines, until


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


class LocalBench:
    """Real processes on this machine, in real time."""

    def __init__(self, state_dir: Path) -> None:
        self.clock = SystemClock()
        self.state_dir = state_dir

    def open(self, deployment: str = "ours", deadman_s: float = 3600.0) -> LocalLauncher:
        return LocalLauncher(self.state_dir, deployment, boot_s=0.5, deadman_s=deadman_s)

    def until(self, done: Callable[[], bool]) -> None:
        until(done)

    def stock_out(self, offers: str) -> None:
        (self.state_dir / "local").mkdir(exist_ok=True)
        (self.state_dir / "local" / "stockout").write_text(f"{offers}\n")

    def kill(self, replica: SeenReplica) -> None:
        assert replica.pid is not None
        os.kill(replica.pid, signal.SIGKILL)


class TestMemoryLauncher(LauncherContract):
    @pytest.fixture
    def bench(self) -> MemoryBench:
        return MemoryBench()


class TestLocalLauncher(LauncherContract, LogsContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[LocalBench]:
        yield LocalBench(tmp_path)
        end_engines(tmp_path)
