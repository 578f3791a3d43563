"""The keeper of a node as a real process, with engines that stand in for real ones."""

import os
import random
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from bouted.testing.processes import until

ENGINE = '''
"""Serves one model. Its options are words after the port; its child lives as long as it does not end it."""
import http.server, json, os, signal, subprocess, sys, time

port, folder, options = int(sys.argv[1]), sys.argv[2], sys.argv[3:]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        loaded = "unloaded" not in options or os.path.exists(folder + "/load")
        self.answer(200 if loaded else 503, {})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "mute" in options and not os.path.exists(folder + "/speak"):
            self.answer(404, {"error": "no such model"})
        else:
            answer = {"choices": [{"text": ""}], "usage": {"completion_tokens": asked["max_tokens"]}}
            self.answer(200 if asked["model"] == "m" else 404, answer)

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

def polite(*_):
    while "busy" in options and not os.path.exists(folder + "/finish"):
        time.sleep(0.01)
    print("finished what ran", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in options else polite)
sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(600)", folder + "/child"]
for kind in ("child", "escaped"):
    if kind in options:
        print(kind, subprocess.Popen(sleeper, start_new_session=kind == "escaped").pid, flush=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
print("listens", flush=True)
server.serve_forever()
'''


def _free_port() -> int:
    """One below those that the kernel hands out by itself, with room above it for the engines' ports."""
    while True:
        port = random.randrange(10_000, 32_000, 20)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(slots=True, kw_only=True)
class KeeperProcess:
    """One keeper and its folder; `flags` come on top of those that make it quick."""

    root: Path
    node: str = "node-1"
    token: str = "the-token"
    flags: tuple[str, ...] = ()
    end: tuple[str, ...] = ("true",)
    port: int = field(default_factory=_free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def folder(self) -> Path:
        """Where it keeps its records."""
        return self.root / "kept"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def engine(self, *options: str) -> tuple[str, ...]:
        """The command of a stand-in engine."""
        script = self.root / "engine.py"
        if not script.exists():
            script.write_text(ENGINE, encoding="utf-8")
        return (sys.executable, "-S", str(script), "{port}", str(self.root), *options)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        env = {**os.environ, "BOUTED_NODE_TOKEN": self.token, "PYTHONWARNINGS": "error"}
        with (self.root / "keeper.out").open("w", encoding="utf-8") as out:
            process = subprocess.Popen(self.command(), env=env, stdout=out, stderr=out)
        self.process = process
        until(lambda: process.poll() is not None or "listens" in self.output())
        if process.poll() is not None:
            raise AssertionError(f"the keeper did not come up: {self.output()}")

    def command(self) -> tuple[str, ...]:
        """What is run."""
        spec = find_spec("bouted.providers.node_keeper")
        if spec is None or spec.origin is None:
            raise AssertionError("the keeper is not where it should be")
        quick = ("--gpus", "2", "--poll-s", "0.02", "--retry-s", "0.05", *self.flags)
        where = ("--port", str(self.port), "--folder", str(self.folder))
        return (sys.executable, spec.origin, "--node", self.node, *where, *quick, "--end", *self.end)

    def output(self) -> str:
        """What it has said since it was started last."""
        return (self.root / "keeper.out").read_text(encoding="utf-8")

    def signal(self, number: signal.Signals) -> int:
        """Signal it, wait for its end and return how it exited."""
        if self.process is None:
            raise AssertionError("the keeper was not started")
        self.process.send_signal(number)
        return self.process.wait(20)

    def clean_up(self) -> None:
        """Kill it, and whatever runs of this root."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
        until(self._is_empty)

    def _is_empty(self) -> bool:
        left = self.running()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    def running(self, mark: str = "") -> list[int]:
        """The processes other than the keeper whose command names the root, and below it `mark`."""
        wanted = f"{self.root}/{mark}".encode() if mark else str(self.root).encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if wanted in command and str(self.folder).encode() not in command:
                found.append(int(entry.name))
        return found
