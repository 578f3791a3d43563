"""Logging in to a machine."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bouted.testing.ec2.needs import USER
from bouted.testing.processes import until

_OPTIONS = (
    "BatchMode=yes",
    "ExitOnForwardFailure=yes",
    "LogLevel=ERROR",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key to machines; its public half lies beside it."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> "Key":
        """A new one."""
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return cls(path=path)

    @property
    def public(self) -> str:
        """What a machine is given for it."""
        return self.path.with_name(f"{self.path.name}.pub").read_text().strip()

    def argv(self, ip: str, *more: str) -> list[str]:
        """The command that logs in to the machine at `ip`, without anybody's settings."""
        options = [part for option in _OPTIONS for part in ("-o", option)]
        return ["ssh", "-F", "none", "-i", str(self.path), *options, f"{USER}@{ip}", *more]

    def run(self, ip: str, command: str) -> str:
        """What `command` prints there; CalledProcessError if it fails."""
        argv = self.argv(ip, command)
        try:
            ran = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60.0)
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise
        return ran.stdout

    @contextmanager
    def tunnel(self, ip: str, port: int) -> Iterator[str]:
        """Until the block ends, the machine's 127.0.0.1:`port` is at this URL."""
        near = free_port()
        argv = self.argv(ip, "-N", "-L", f"127.0.0.1:{near}:127.0.0.1:{port}")
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: _listens(near) or process.poll() is not None)
            yield f"http://127.0.0.1:{near}"
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
