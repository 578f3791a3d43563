"""The local launcher's own ways. That it is a launcher, tests/contract says."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bouted.providers import local_replica
from bouted.providers.local import LocalLauncher
from bouted.providers.local_files import FOREVER, ReplicaFiles, read_lease, write_json
from bouted.providers.local_kept import KeptLauncher
from bouted.providers.local_process import identify, is_locked, reap, spawn, take_lock

from bouted.config.problems import ConfigErrors
from bouted.errors import Misconfigured, NotYet
from bouted.reconcile.launcher import Seen
from bouted.testing.clock import ManualClock
from bouted.testing.orders import a_node_order, a_replica_order
from bouted.testing.processes import end_engines, until


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_engines(tmp_path)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def _nodes(state: Path) -> Path:
    return state / "local" / "nodes"


def test_the_config_sets_its_options(tmp_path: Path, clock: ManualClock) -> None:
    options = {"boot_s": 30, "time_scale": 2.5}
    launcher = LocalLauncher.from_config(options, state_dir=tmp_path, deployment="d", deadman_s=60.0)
    launcher.launch(a_node_order())
    assert not launcher.seen().nodes[0].up
    LocalLauncher.from_config({}, state_dir=tmp_path, deployment="d", deadman_s=60.0)


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"boots": 1}, ["boots: no such option (did you mean boot_s?)"]),
        ({"boot_s": "1"}, ["boot_s: must be a number of 0 to 86400, got '1'"]),
        ({"boot_s": -1}, ["boot_s: must be a number of 0 to 86400, got -1"]),
        ({"boot_s": True}, ["boot_s: must be a number of 0 to 86400, got True"]),
        ({"time_scale": 0}, ["time_scale: must be a number of 1e-06 to 1e+06, got 0"]),
        ({"time_scale": float("inf")}, ["time_scale: must be a number of 1e-06 to 1e+06, got inf"]),
        ({"folder": "nodes"}, ["folder: must be the absolute path of a folder, got 'nodes'"]),
        ({"engines": None}, ["engines: must be a section, got None (like {vllm: {}, sglang: {}})"]),
        (
            {
                "boot_s": "x",
                "time_scale": 2,
                "bots": 1,
                "engines": {"vllm": {"program": "vllm"}, "sglang": {"version": 1}, "hf_token": "/x"},
            },
            [
                "boot_s: must be a number of 0 to 86400, got 'x'",
                "bots: no such option (did you mean boot_s?)",
                "engines.hf_token: no such option (did you mean hf_token_file?)",
                "engines.vllm.program: must be a list of texts, got 'vllm' (like [--flag, value])",
                'engines.sglang.version: must be a version as text, got 1 (like "0.5.23")',
                "time_scale: is for paced engines without adapters: leave it out where there are engines",
            ],
        ),
    ],
)
def test_options_that_make_no_sense_are_told_all_at_once(
    tmp_path: Path, options: dict[str, object], lines: list[str]
) -> None:
    with pytest.raises(ConfigErrors) as wrong:
        LocalLauncher.from_config(options, state_dir=tmp_path, deployment="d", deadman_s=60.0)
    assert str(wrong.value).splitlines() == [f"config launcher.options.{line}" for line in lines]


def test_options_with_engines_give_each_node_a_keeper(tmp_path: Path) -> None:
    launcher = LocalLauncher.from_config({"engines": {}}, state_dir=tmp_path, deployment="d", deadman_s=60.0)
    assert isinstance(launcher, KeptLauncher)
    assert launcher.name == LocalLauncher.name
    launcher.close()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../etc", "a b", "-x", "x" * 201])
def test_a_name_that_is_no_folder_is_refused_and_counts_as_stopped(tmp_path: Path, name: str) -> None:
    launcher = LocalLauncher(tmp_path, "ours")
    with pytest.raises(Misconfigured):
        launcher.launch(a_node_order(name))
    with pytest.raises(Misconfigured):
        launcher.start_replica(a_replica_order(name))
    launcher.stop_node(name)
    launcher.stop_replica(name, name)
    launcher.renew((name,), 60.0)
    assert launcher.seen() == Seen(nodes=(), replicas=())


def test_a_state_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert LocalLauncher(tmp_path / "none", "ours").seen() == Seen(nodes=(), replicas=())
    assert not (tmp_path / "none").exists()


def test_what_is_no_node_is_never_listed(tmp_path: Path, clock: ManualClock) -> None:
    launcher = LocalLauncher(tmp_path, "ours", clock=clock)
    launcher.launch(a_node_order())
    (_nodes(tmp_path) / "a-file").write_text("hello")
    (_nodes(tmp_path) / "empty").mkdir()
    for name, body in (("garbled", "{"), ("strange", '{"name": "strange"}')):
        (_nodes(tmp_path) / name).mkdir()
        (_nodes(tmp_path) / name / "node.json").write_text(body)
    (_nodes(tmp_path) / "copy").mkdir()
    (_nodes(tmp_path) / "copy" / "node.json").write_bytes(
        (_nodes(tmp_path) / "node-1" / "node.json").read_bytes()
    )
    assert [node.name for node in launcher.seen().nodes] == ["node-1"]


def test_a_name_that_another_deployment_holds_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    LocalLauncher(tmp_path, "theirs", clock=clock).launch(a_node_order())
    with pytest.raises(Misconfigured, match="theirs"):
        LocalLauncher(tmp_path, "ours", clock=clock).launch(a_node_order())


def test_without_a_dead_man_switch_the_lease_never_ends(tmp_path: Path, clock: ManualClock) -> None:
    launcher = LocalLauncher(tmp_path, "ours", deadman_s=float("inf"), clock=clock)
    launcher.launch(a_node_order())
    assert read_lease(_nodes(tmp_path) / "node-1") == FOREVER
    clock.advance(1e8)
    assert launcher.seen().nodes[0].up


def test_a_node_without_a_lease_has_ended(tmp_path: Path, clock: ManualClock) -> None:
    launcher = LocalLauncher(tmp_path, "ours", clock=clock)
    launcher.launch(a_node_order())
    clock.advance(10)
    (_nodes(tmp_path) / "node-1" / "lease.json").unlink()
    assert launcher.seen().nodes[0].ended_at is not None


def test_a_name_whose_node_ended_can_be_launched_again(tmp_path: Path, clock: ManualClock) -> None:
    launcher = LocalLauncher(tmp_path, "ours", deadman_s=60, clock=clock)
    launcher.launch(a_node_order())
    launcher.stop_node("node-1")
    launcher.launch(a_node_order())
    assert launcher.seen().nodes[0].ended_at is None
    clock.advance(61)
    launcher.launch(a_node_order())
    assert launcher.seen().nodes[0].started_at == clock.now()


def test_the_next_launch_forgets_nodes_that_ended_long_ago(tmp_path: Path, clock: ManualClock) -> None:
    launcher = LocalLauncher(tmp_path, "ours", clock=clock)
    launcher.launch(a_node_order("old"))
    launcher.stop_node("old")
    clock.advance(timedelta(hours=25).total_seconds())
    launcher.launch(a_node_order("new"))
    assert [node.name for node in launcher.seen().nodes] == ["new"]
    assert not (_nodes(tmp_path) / "old").exists()


def test_an_engine_that_ignores_the_request_to_end_is_killed_by_whoever_asks_late_enough(
    state: Path, clock: ManualClock
) -> None:
    files = _stubborn(state)
    children = {_pid(files)}
    for _ in range(2):
        with pytest.raises(NotYet):
            local_replica.stop(files, clock.now())
    assert identify(_pid(files)) is not None
    clock.advance(local_replica.KILL_AFTER_S + 1)
    with pytest.raises(NotYet):
        local_replica.stop(files, clock.now())
    until(lambda: not is_locked(files.lock))
    reap(children)
    local_replica.stop(files, clock.now())
    assert not files.lock.exists()


def test_a_process_that_only_has_the_pid_of_an_engine_is_left_alone(state: Path, clock: ManualClock) -> None:
    files = _stubborn(state)
    pid = _pid(files)
    write_json(files.pid, {"pid": pid, "start_ticks": 1})
    local_replica.look(files, "node-1")
    clock.advance(60)
    for _ in range(2):
        with pytest.raises(NotYet):
            local_replica.stop(files, clock.now() + timedelta(seconds=60))
    assert identify(pid) is not None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _stubborn(state: Path) -> ReplicaFiles:
    """An engine's place taken by a process that ignores SIGTERM, as soon as it does."""
    files = ReplicaFiles(folder=state, name="stubborn")
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
        f"time.sleep(60) # bouted.providers.local_engine {state}/"
    )
    lock_fd = take_lock(files.lock)
    assert lock_fd is not None
    files.write_pid(spawn((sys.executable, "-c", code), log=files.log, lock_fd=lock_fd))
    os.close(lock_fd)
    until(lambda: "deaf" in files.log.read_text())
    return files


def _pid(files: ReplicaFiles) -> int:
    process = files.read_process()
    assert process is not None
    return process.pid
