"""Processes of the stand-in cloud: each says its port when it is ready, and ends when its parent does."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bouted.testing.ec2.needs import NoStandInCloud


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A module of ours that runs as a process of its own and listens at `port`."""

    process: subprocess.Popen[str]
    port: int

    @classmethod
    def start(cls, module: str, *argv: str, log: Path) -> "Child":
        """Start it and wait until it is ready. NoStandInCloud if it ends first."""
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            process.communicate()
            raise NoStandInCloud(f"{module} ends at once, see {log}")
        return cls(process=process, port=int(json.loads(ready)["port"]))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self, patience_s: float = 10.0) -> None:
        """End it; by force if it takes longer than `patience_s`."""
        try:
            self.process.communicate("", timeout=patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
