"""A whole deployment on this machine for tests: real daemon, real gateway, real replicas, one folder."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

from bouted.board import Board
from bouted.errors import BoutedError
from bouted.store.read_board import read_status

CONFIG = """\
version: 1
deployment: test
mode: {mode}
state_dir: state
budget: {{usd_per_hour: {budget}}}
targets: {{e2e_p95_s: {e2e_p95_s}, quality_min: {quality_min}}}
workload: {{rate_per_s: 2, prompt_tokens: 100, output_tokens: 40, window_s: 20}}
models:
  - {{name: small, spec: llama-3.1-8b}}
  - {{name: large, spec: llama-3.1-70b}}
routing: {{synthetic: true}}
supply: {{gpus: {{allow: {gpus}}}, spot: {{max_share: 1.0}}}}
prices: {{sources: [{{name: snapshot}}, {{name: file, path: prices.csv}}], refresh_s: 1}}
changes:
  {{drain_s: 5, min_replan_gap_s: 1, load_settle_s: 600, rollout: {{canary_s: 1, soak_s: 1}}}}
planner: {{sweep: 32, evaluations: 3, deadline_s: 30}}
launcher: {{name: local, options: {{boot_s: 0.2}}}}
safety: {{deadman_hours: 0.1}}
listen: {{gateway_port: {port}}}
"""
PRICES = """\
provider,region,zone,instance_type,gpu,gpu_count,market,usd_per_hour,obtainable,hazard_per_hour,observed_on,confidence,source
quote,here,,4x_L40S_quote,L40S,4,on_demand,3.00,4,0.0005,2026-11-01,high,test
"""


def free_port() -> int:
    """A port on this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Deployment:
    """Owns the processes it started, by id. `close` ends the fleet and all of them."""

    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def config_path(self) -> Path:
        """The config file."""
        return self.folder / "bouted.yaml"

    @property
    def state_dir(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.port}"

    def write_config(
        self,
        *,
        mode: str = "apply",
        budget: str = "40",
        e2e_p95_s: str = "20",
        quality_min: str = "0.72",
        gpus: str = "[L4, L40S, A100-80GB, H100-80GB]",
        more: str = "",
    ) -> None:
        """Write the config and, once, the price file."""
        text = CONFIG.format(
            mode=mode,
            budget=budget,
            e2e_p95_s=e2e_p95_s,
            quality_min=quality_min,
            gpus=gpus,
            port=self.port,
        )
        self.config_path.write_text(text + more, encoding="utf-8")
        prices = self.folder / "prices.csv"
        if not prices.exists():
            prices.write_text(PRICES, encoding="utf-8")

    def env(self) -> Mapping[str, str]:
        """What its processes get to see."""
        return environ()

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start `bouted run` or `bouted gateway`; its output goes to COMMAND.log."""
        with (self.folder / f"{command}.log").open("ab") as log:
            process = subprocess.Popen(
                self._argv(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(self.env())
            )
        self.processes.append(process)
        return process

    def cli(self, *words: str, timeout_s: float = 150) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self._argv(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=dict(self.env()),
            timeout=timeout_s,
            check=False,
        )

    def board(self) -> Board | None:
        """The status board, None before there is one."""
        try:
            return read_status(f"sqlite:///{self.state_dir / 'bouted.db'}").board
        except BoutedError:
            return None

    def until(self, reached: Callable[[Board], bool], what: str, within_s: float = 120) -> Board:
        """The first board for which `reached` holds; AssertionError with the daemon's log when none comes."""
        deadline = monotonic() + within_s
        while monotonic() < deadline:
            board = self.board()
            if board is not None and reached(board):
                return board
            sleep(0.1)
        log = self.folder / "run.log"
        tail = log.read_text(errors="replace")[-3000:] if log.exists() else ""
        raise AssertionError(f"{what}: not within {within_s:.0f} s; board {self.board()}\n{tail}")

    def until_serving(self, within_s: float = 150) -> Board:
        """Wait until every replica of the plan is ready and nothing else runs."""
        return self.until(is_serving, "every replica ready", within_s)

    def close(self) -> None:
        """Stop the fleet, then every process started here."""
        try:
            if self.config_path.exists() and self.state_dir.exists():
                self.cli("down", "--yes")
        finally:
            self._end_processes()

    def _end_processes(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _argv(self, command: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "bouted.cli", command, "--config", str(self.config_path), *words]


def is_serving(board: Board) -> bool:
    """Every replica of the plan in force is ready, and nothing else runs."""
    wanted = sum(route.wanted for route in board.routes)
    ready = sum(route.ready for route in board.routes)
    return 0 < wanted == ready == len(board.replicas)


def environ() -> dict[str, str]:
    """The environment without settings of another deployment."""
    return {key: value for key, value in os.environ.items() if not key.startswith("BOUTED_")}
