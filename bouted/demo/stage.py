"""The demo's processes: a real daemon and a real gateway over a temporary state folder."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bouted.board import Board
from bouted.clock import SystemClock
from bouted.daemon.parts import launcher_of, load
from bouted.errors import BoutedError
from bouted.store.read_board import read_status

STOP_S = 20.0


def free_port() -> int:
    """A port on this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Stage:
    """Starts the daemon and the gateway, reads the board, and ends all it started."""

    config_path: Path
    state_dir: Path
    logs: Path
    gateway_url: str
    daemon: subprocess.Popen[bytes] | None = None
    gateway: subprocess.Popen[bytes] | None = None

    @property
    def database_url(self) -> str:
        """The demo's store."""
        return f"sqlite:///{self.state_dir / 'bouted.db'}"

    def start(self) -> None:
        """Start both processes."""
        self.gateway = self._spawn("gateway")
        self.daemon = self._spawn("run")

    def board(self) -> Board | None:
        """The status board, None before there is one."""
        try:
            return read_status(self.database_url).board
        except BoutedError:
            return None

    def died(self) -> str:
        """What ended before its time, with the end of its log; "" while both run."""
        for name, process in (("run", self.daemon), ("gateway", self.gateway)):
            if process is not None and process.poll() is not None:
                tail = (self.logs / f"{name}.log").read_text(errors="replace").strip()[-600:]
                return f"bouted {name} ended with {process.returncode}:\n{tail}"
        return ""

    def stop(self) -> int:
        """Stop the fleet, then the processes; returns how many replicas are left."""
        self._command("down", "--yes")
        for process in (self.daemon, self.gateway):
            if process is not None:
                _end(process)
        return self.replicas_left()

    def replicas_left(self) -> int:
        """Replica processes that still exist, by the launcher's own look."""
        seen = launcher_of(load(self.config_path).config).seen()
        return len(seen.replicas)

    def _spawn(self, command: str) -> subprocess.Popen[bytes]:
        with (self.logs / f"{command}.log").open("ab") as log:
            return subprocess.Popen(
                self._argv(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environ()
            )

    def _command(self, *words: str) -> None:
        with (self.logs / "down.log").open("ab") as log:
            subprocess.run(
                self._argv(*words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environ(),
                timeout=60,
                check=False,
            )

    def _argv(self, command: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "bouted.cli", command, "--config", str(self.config_path), *words]


def now() -> datetime:
    """The present instant."""
    return SystemClock().now()


def _environ() -> dict[str, str]:
    """The environment without settings of another deployment."""
    return {key: value for key, value in os.environ.items() if not key.startswith("BOUTED_")}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
