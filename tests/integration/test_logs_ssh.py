"""`bouted logs` and `bouted ssh` on real engines, of this machine and of SkyPilot in memory."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bouted.providers.engine_choice import Engines
from bouted.providers.local import LocalLauncher
from bouted.providers.sky_memory import MemorySky
from bouted.providers.sky_memory_parts import memory_parts
from bouted.providers.sky_record import NodeRecord, NodeRecords, Phase
from bouted.providers.sky_wire import SshAddress
from bouted.providers.skypilot import SkyLauncher

from bouted.cli.main import run
from bouted.clock import SystemClock
from bouted.errors import NotYet
from bouted.reconcile.adopted import ADOPTED
from bouted.reconcile.launcher import Launcher
from bouted.reconcile.names import node_name
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus
from bouted.store.fleet import add_node, add_replica, move_replica
from bouted.store.open import Store
from bouted.testing.deployment import Deployment, environ
from bouted.testing.fleet import an_offer
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.orders import a_node_order, a_replica_order
from bouted.testing.processes import end_engines, until
from bouted.testing.store import a_node, a_replica, fresh_store

NODE = node_name("test", "slot", 1)
REPLICA = f"{NODE}-r0"
THEIRS = "their-node"
NOW = datetime.now(UTC)
PACED = {"program": [sys.executable, "-P", "-m", "bouted.providers.paced_engine"], "fetch": False}


def told(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    said = capsys.readouterr()
    return said.out.splitlines(), said.err.splitlines()


@dataclass
class Bench:
    """A deployment with rows of one node, its engine and an adopted one, and the CLI beside it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        self.deployment = Deployment(self.folder)
        self.deployment.write_config()
        self.state_dir = self.deployment.state_dir
        self.state_dir.mkdir()
        self.store: Store = fresh_store(self.state_dir)
        for name, launcher in ((NODE, "local"), (THEIRS, ADOPTED)):
            node = replace(a_node(name), slot=name, status=NodeStatus.UP, since=NOW, launcher=launcher)
            add_node(self.store, node)
            add_replica(self.store, replace(a_replica(node), name=f"{name}-r0", status=ReplicaStatus.READY))

    def run(self, *words: str) -> tuple[int, list[str], list[str]]:
        return run(["--config", str(self.deployment.config_path), *words]), *told(self.capsys)

    def start(self, *words: str, path: str = "") -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "bouted.cli", "--config", str(self.deployment.config_path), *words]
        env = environ() | ({"PATH": path} if path else {})
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    bench = Bench(tmp_path, capsys)
    yield bench
    bench.store.close()
    end_engines(tmp_path)


def serve(launcher: Launcher) -> int:
    """Start the node's engine, wait until it listens; its pid."""
    launcher.launch(a_node_order(NODE))
    until(lambda: any(node.up for node in launcher.seen().nodes))
    launcher.start_replica(a_replica_order(REPLICA, NODE))
    until(lambda: any(seen.endpoint for seen in launcher.seen().replicas))
    (seen,) = launcher.seen().replicas
    assert seen.pid is not None
    return seen.pid


@pytest.fixture
def local(bench: Bench) -> LocalLauncher:
    return LocalLauncher(bench.state_dir, "test", boot_s=0.0)


def test_a_local_engines_log_is_shown_by_any_of_its_names_and_after_its_end(
    bench: Bench, local: LocalLauncher
) -> None:
    pid = serve(local)
    for word in (REPLICA, NODE, "1-r0"):
        code, out, err = bench.run("logs", word)
        assert (code, err) == (0, [])
        assert out[0].startswith(f"{REPLICA} listens at http://127.0.0.1:")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not local.lives(REPLICA, NODE))
    move_replica(bench.store, REPLICA, ReplicaStatus.FAILED, Reason.UNEXPECTED, NOW)
    until(lambda: not stops(local))
    assert bench.run("logs", REPLICA)[:2] == (0, out)
    assert bench.run("logs", REPLICA, "-n", "0") == (0, [], [])


def stops(local: LocalLauncher) -> bool:
    with suppress(NotYet):
        local.stop_node(NODE)
    return bool(local.seen().replicas)


def test_a_log_is_followed_until_the_engine_ends(bench: Bench, local: LocalLauncher) -> None:
    pid = serve(local)
    with bench.start("logs", "-f", REPLICA) as reader:
        assert reader.stdout is not None
        assert "listens" in reader.stdout.readline()
        os.kill(pid, signal.SIGTERM)
        out, err = reader.communicate(timeout=30)
    assert (out, err, reader.returncode) == ("ends\n", f"{REPLICA} has ended\n", 0)


def test_ctrl_c_ends_what_follows_and_not_the_engine(bench: Bench, local: LocalLauncher) -> None:
    serve(local)
    with bench.start("logs", "-f", REPLICA) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        reader.send_signal(signal.SIGINT)
        out, err = reader.communicate(timeout=30)
    assert (out, err, reader.returncode) == ("\n", "", 0)
    assert local.lives(REPLICA, NODE)


def test_an_engine_that_never_started_is_an_error(bench: Bench, local: LocalLauncher) -> None:
    local.launch(a_node_order(NODE))
    code, out, err = bench.run("logs", REPLICA)
    assert (code, out, err) == (1, [], [f"error: replica {REPLICA} was never started here"])


def test_replicas_of_the_local_launcher_are_told_by_their_process(bench: Bench, local: LocalLauncher) -> None:
    pid = serve(local)
    assert bench.run("ssh", REPLICA) == (
        1,
        [],
        [
            f"error: replicas of the local launcher are processes of this machine: pid {pid}",
            f"hint: bouted logs {NODE}",
        ],
    )


@pytest.mark.parametrize(("command", "word"), [("logs", "their"), ("ssh", "their"), ("ssh", f"{THEIRS}-r0")])
def test_an_adopted_engine_is_somebody_elses(bench: Bench, command: str, word: str) -> None:
    code, _, err = bench.run(command, word)
    assert code == 1
    assert err[0].endswith("is adopted: somebody else runs it")
    assert err[1] == "hint: whoever runs it has its log and its machine"


@pytest.mark.parametrize("command", ["logs", "ssh"])
def test_a_name_that_nobody_has_is_one_line_with_the_nearest(bench: Bench, command: str) -> None:
    code, _, err = bench.run(command, f"{NODE}-r7")
    assert (code, err[1]) == (1, f"hint: did you mean {REPLICA}?")


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("logs", "the memory launcher shows no logs"),
        ("ssh", "the memory launcher has no shells"),
    ],
)
def test_a_launcher_without_them_says_so(
    bench: Bench, command: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = MemoryLauncher(MemoryCloud(SystemClock()))
    monkeypatch.setattr("bouted.cli.engines.launcher_of", lambda config: launcher)
    assert bench.run(command, REPLICA) == (1, [], [f"error: {error}"])


@pytest.fixture
def sky(bench: Bench) -> Iterator[MemorySky]:
    sky = MemorySky(root=bench.folder / "clusters", clock=SystemClock())
    yield sky
    sky.end_all()


def on(sky: MemorySky, folder: Path) -> SkyLauncher:
    engines = Engines.from_config({"vllm": PACED}, "engines")
    return SkyLauncher(memory_parts(sky, folder, deployment="test", lease_s=3600.0, engines=engines))


def test_a_skypilot_engines_log_comes_through_its_keeper(
    bench: Bench, sky: MemorySky, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemons = on(sky, bench.folder / "sky")
    pid = serve(daemons)
    monkeypatch.setattr("bouted.cli.engines.launcher_of", lambda config: on(sky, bench.folder / "sky"))
    code, out, err = bench.run("logs", REPLICA)
    assert (code, err) == (0, [])
    assert "listens at http://127.0.0.1:" in "\n".join(out)
    os.killpg(pid, signal.SIGKILL)
    until(lambda: not daemons.lives(REPLICA, NODE))
    code, out, err = bench.run("logs", "-f", REPLICA)
    assert (code, err) == (0, [f"{REPLICA} has ended"])
    until(lambda: _stopped(daemons))
    assert bench.run("logs", REPLICA)[0] == 1
    daemons.close()


def _stopped(launcher: SkyLauncher) -> bool:
    with suppress(NotYet):
        launcher.stop_replica(REPLICA, NODE)
    return not launcher.seen().replicas


FAKE_SSH = """#!/bin/sh
pwd
printf '%s\\n' "$@"
exit 7
"""


def test_ssh_becomes_the_command_that_reaches_the_node_and_exits_as_it_does(bench: Bench) -> None:
    config = bench.deployment.config_path
    config.write_text(config.read_text().replace("name: local, options: {boot_s: 0.2}", "name: skypilot"))
    address = SshAddress(host="10.1.2.3", port=2222, user="ubuntu", key_file="/the/key")
    records, programs = NodeRecords(bench.state_dir / "sky" / "nodes"), bench.folder / "bin"
    record = NodeRecord(name=NODE, offer=an_offer(), asked_at=NOW, since=NOW, phase=Phase.REACHING)
    with records.alone():
        records.write(record)
    assert bench.run("ssh", NODE) == (
        1,
        [],
        [f"error: node {NODE} has no address yet: it is reaching its keeper"],
    )
    with records.alone():
        records.write(replace(record, address=address))
    programs.mkdir()
    (programs / "ssh").write_text(FAKE_SSH)
    (programs / "ssh").chmod(0o755)
    with bench.start(
        "ssh", "1-r0", "--", "nvidia-smi", "-L", path=f"{programs}:{os.environ['PATH']}"
    ) as shell:
        out, err = shell.communicate(timeout=60)
    lines = out.splitlines()
    assert (shell.returncode, err) == (7, "")
    assert lines[0] == str(bench.state_dir / "sky" / "ways" / NODE)
    assert lines[-3:] == ["ubuntu@10.1.2.3", "nvidia-smi", "-L"]
    assert {"/the/key", "2222", "ControlPath=ssh"} <= {*lines}
    with bench.start("ssh", NODE, path=str(bench.folder)) as shell:
        _, err = shell.communicate(timeout=60)
    assert (shell.returncode, err) == (1, "error: there is no ssh on this machine\nhint: install it\n")
