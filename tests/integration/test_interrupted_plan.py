"""`bouted plan` in a real terminal, where Ctrl-C reaches the whole process group.

During the search it ends the search early with the best so far; at any other time, the command.
"""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from bouted.testing.deployment import Deployment, environ

CTRL_C = b"\x03"
ENDLESS = "planner: {sweep: 100000, evaluations: 10000, deadline_s: 3000}\n"


@dataclass(slots=True)
class Terminal:
    """A command whose controlling terminal is ours. `seen` is all that it has shown."""

    process: subprocess.Popen[bytes]
    master: int
    seen: bytes = b""

    def until(self, shown: bytes, within_s: float = 90.0) -> None:
        """Read on until the screen has shown this."""
        deadline = monotonic() + within_s
        while shown not in self.seen:
            left = deadline - monotonic()
            assert left > 0, f"{shown!r} was not shown in {within_s:g} s: {self.seen[-2000:]!r}"
            self._read(left)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def ended(self, within_s: float = 60.0) -> int:
        """The exit status; what was shown until the end is in `seen`."""
        deadline = monotonic() + within_s
        while self.process.poll() is None and monotonic() < deadline:
            self._read(0.2)
        self._read(0.0)
        return self.process.wait(1.0)

    def _read(self, within_s: float) -> None:
        if select.select([self.master], [], [], within_s)[0]:
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:  # Linux: everything on the other side is closed
                self.process.wait(10.0)


def start(deployment: Deployment) -> Terminal:
    master, slave = pty.openpty()
    words = [sys.executable, "-m", "bouted.cli", "plan", "--config", str(deployment.config_path)]
    # `setsid -c` makes the terminal the controlling one, so that Ctrl-C is what it is for a person.
    process = subprocess.Popen(
        ["setsid", "-c", *words], stdin=slave, stdout=slave, stderr=slave, env=environ()
    )
    os.close(slave)
    return Terminal(process=process, master=master)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    text = deployment.config_path.read_text()
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith("planner:")]
    deployment.config_path.write_text("".join(kept) + ENDLESS)
    made = start(deployment)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    os.close(made.master)


@pytest.mark.timeout(240)
def test_ctrl_c_before_the_search_ends_the_command(terminal: Terminal) -> None:
    terminal.until(b"gateway does not answer")
    terminal.type(CTRL_C)
    assert terminal.ended() == 130, terminal.seen[-2000:]
    assert "Traceback" not in terminal.seen.decode()


@pytest.mark.timeout(240)
def test_ctrl_c_during_the_search_shows_the_best_plan_so_far(terminal: Terminal) -> None:
    terminal.until(b"best $")
    terminal.type(CTRL_C)
    assert terminal.ended() == 2, terminal.seen[-2000:]
    shown = terminal.seen.decode()
    assert "stopped by somebody: a longer one may find better" in " ".join(shown.split()), shown[-2000:]
    assert "Traceback" not in shown
    assert "Aborted" not in shown
