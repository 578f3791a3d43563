"""The local launcher with keepers: whatever is killed, the next look finds the engines, and can end them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from bouted.providers import local_kept_tending
from bouted.providers.engine_choice import Engines
from bouted.providers.local_kept import KeptLauncher
from bouted.providers.local_kept_node import KeptNode

from bouted.errors import NotYet, Retryable
from bouted.reconcile.launcher import SeenReplica
from bouted.testing.orders import a_node_order, a_replica_order
from bouted.testing.processes import end_kept, kept, until

PACED = {"program": [sys.executable, "-P", "-m", "bouted.providers.paced_engine"]}
_DAEMON = """
import sys, time
from pathlib import Path
from bouted.providers.engine_choice import Engines
from bouted.providers.local_kept import KeptLauncher
from bouted.testing.orders import a_node_order
launcher = KeptLauncher(Path(sys.argv[1]), "ours", Engines.from_config({}, "engines"), boot_s=0.0)
launcher.launch(a_node_order())
print("launched", flush=True)
time.sleep(600)
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[KeptLauncher]:
    engines = Engines.from_config({"vllm": PACED}, "engines")
    made = KeptLauncher(tmp_path / "local", "ours", engines, boot_s=0.0)
    yield made
    made.close()
    end_kept(tmp_path)


def node(tmp_path: Path) -> KeptNode:
    return KeptNode(tmp_path / "local" / "kept" / "node-1")


def keeper_pid(tmp_path: Path) -> int:
    process = node(tmp_path).process()
    assert process is not None
    return process.pid


def come_up(launcher: KeptLauncher) -> None:
    launcher.launch(a_node_order())
    until(lambda: launcher.seen().nodes[0].up)


def serve(launcher: KeptLauncher) -> SeenReplica:
    come_up(launcher)
    launcher.start_replica(a_replica_order())
    until(lambda: any(seen.endpoint for seen in launcher.seen().replicas))
    return launcher.seen().replicas[0]


def ended(launcher: KeptLauncher) -> bool:
    with suppress(NotYet):
        launcher.stop_node("node-1")
    return launcher.seen().nodes[0].ended_at is not None


def test_keepers_outlive_a_daemon_that_is_killed(launcher: KeptLauncher, tmp_path: Path) -> None:
    argv = (sys.executable, "-c", _DAEMON, str(tmp_path / "local"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        pid = keeper_pid(tmp_path)
        daemon.kill()
    until(lambda: launcher.seen().nodes[0].up)
    assert keeper_pid(tmp_path) == pid


def test_a_launch_that_was_cut_off_before_its_keeper_started_is_completed(
    launcher: KeptLauncher, tmp_path: Path
) -> None:
    come_up(launcher)
    record = node(tmp_path).read()
    assert record is not None
    cut_off = node(tmp_path).path.with_name("node-2")
    KeptNode(cut_off).write(replace(record, name="node-2", up_at=None))
    until(lambda: [seen.up for seen in launcher.seen().nodes] == [True, True])


def test_a_node_whose_keeper_never_started_ends_at_once(launcher: KeptLauncher, tmp_path: Path) -> None:
    launcher.launch(a_node_order())
    record = node(tmp_path).read()
    assert record is not None
    KeptNode(node(tmp_path).path.with_name("node-2")).write(replace(record, name="node-2"))
    launcher.stop_node("node-2")
    assert [seen.ended_at is None for seen in launcher.sweep()] == [True, False]


def test_a_keeper_that_is_killed_is_started_again_and_its_engines_never_stop(
    launcher: KeptLauncher, tmp_path: Path
) -> None:
    before = serve(launcher)
    pid = keeper_pid(tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: launcher.seen().replicas == (before,) and keeper_pid(tmp_path) != pid)
    until(lambda: _answers(launcher))
    assert launcher.seen().nodes[0].up


def test_a_keeper_that_hangs_is_replaced(
    launcher: KeptLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_kept_tending, "HUNG_S", 1.0)
    before = serve(launcher)
    pid = keeper_pid(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: launcher.seen() and _answers(launcher), patience_s=60.0)
    assert keeper_pid(tmp_path) != pid
    assert launcher.seen().replicas == (before,)


def _answers(launcher: KeptLauncher) -> bool:
    with suppress(Retryable):
        return launcher.lives("replica-1", "node-1")
    return False


def test_a_node_is_stopped_whole_though_its_keeper_was_killed(launcher: KeptLauncher, tmp_path: Path) -> None:
    serve(launcher)
    os.kill(keeper_pid(tmp_path), signal.SIGKILL)
    until(lambda: ended(launcher))
    until(lambda: kept(tmp_path) == [])


def test_a_node_that_nobody_renews_leaves_no_process(launcher: KeptLauncher, tmp_path: Path) -> None:
    serve(launcher)
    launcher.renew(("node-1",), 0.5)
    until(lambda: launcher.sweep()[0].ended_at is not None)
    launcher.seen()
    until(lambda: kept(tmp_path) == [])


def test_a_lease_that_was_moved_while_the_keeper_was_away_is_moved_when_it_is_back(
    launcher: KeptLauncher, tmp_path: Path
) -> None:
    come_up(launcher)
    os.kill(keeper_pid(tmp_path), signal.SIGKILL)
    until(lambda: not node(tmp_path).lives())
    with pytest.raises(Retryable):
        launcher.renew(("node-1",), 90_000.0)
    until(lambda: launcher.seen() and launcher._keepers.heard["node-1"].lease_left_s > 89_000)


def test_two_nodes_have_keepers_and_engines_at_ports_of_their_own(
    launcher: KeptLauncher, tmp_path: Path
) -> None:
    for number in (1, 2):
        launcher.launch(a_node_order(f"node-{number}"))
    until(lambda: [seen.up for seen in launcher.seen().nodes] == [True, True])
    for number in (1, 2):
        launcher.start_replica(a_replica_order(f"replica-{number}", f"node-{number}"))
    until(lambda: len({seen.endpoint for seen in launcher.seen().replicas if seen.endpoint}) == 2)


def test_nobody_but_its_owner_can_read_a_nodes_folder_and_no_token_is_in_it(
    launcher: KeptLauncher, tmp_path: Path
) -> None:
    come_up(launcher)
    assert node(tmp_path).path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "local" / "node.key").stat().st_mode & 0o077 == 0
    command = Path(f"/proc/{keeper_pid(tmp_path)}/cmdline").read_bytes()
    assert launcher._tending.token("node-1").encode() not in command
