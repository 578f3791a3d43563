"""Wherever a launcher is killed, the next one finds what it left, and nothing runs twice."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from bouted.providers.local import LocalLauncher

from bouted.errors import NotYet
from bouted.testing.orders import a_node_order, a_replica_order
from bouted.testing.processes import end_engines, engines, until

# A forked child runs on with the modules that are loaded, which is what makes a hundred deaths cheap.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

_STEPS = ("open", "os.mkdir", "os.posix_spawn", "os.remove", "os.rename", "fcntl.flock")
_DAEMON = """
import sys, time
from pathlib import Path
from bouted.providers.local import LocalLauncher
from bouted.testing.orders import a_node_order, a_replica_order
launcher = LocalLauncher(Path(sys.argv[1]), "ours", boot_s=0.0)
launcher.launch(a_node_order())
launcher.start_replica(a_replica_order())
time.sleep(600)
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end_engines(tmp_path)


def _launcher(state: Path) -> LocalLauncher:
    return LocalLauncher(state, "ours", boot_s=0.0)


def _bring_up(state: Path) -> None:
    launcher = _launcher(state)
    launcher.launch(a_node_order())
    launcher.start_replica(a_replica_order())


def _killed_at(step: int, deed: Callable[[Path], object], state: Path) -> bool:
    """Do `deed` in a child that kills itself before this step; False if it got to the end."""
    pid = os.fork()
    if pid == 0:
        left = step

        def count(event: str, _: tuple[object, ...]) -> None:
            nonlocal left
            if event not in _STEPS:
                return
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        sys.addaudithook(count)
        deed(state)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def _stopped(state: Path) -> bool:
    try:
        _launcher(state).stop_node("node-1")
    except NotYet:
        return False
    return True


def test_a_launcher_killed_at_any_step_leaves_a_start_that_the_next_one_completes(state: Path) -> None:
    step = 0
    while _killed_at(step, _bring_up, state / str(step)):
        after = state / str(step)
        _launcher(after).seen()
        _bring_up(after)
        assert len(engines(after)) == 1
        assert [seen.name for seen in _launcher(after).seen().replicas] == ["replica-1"]
        end_engines(after)
        step += 1
    assert step > 20
    end_engines(state)


def test_a_launcher_killed_at_any_step_leaves_a_node_that_the_next_one_can_end(state: Path) -> None:
    step = 0
    while _killed_at(step, _bring_up, state / str(step)):
        after = state / str(step)
        until(partial(_stopped, after))
        assert engines(after) == []
        assert _launcher(after).seen().replicas == ()
        step += 1
    assert step > 20
    end_engines(state)


@pytest.mark.parametrize("lives", [True, False], ids=["a live engine", "a dead engine"])
def test_a_launcher_killed_while_it_stops_a_node_leaves_a_stop_that_the_next_one_completes(
    state: Path, lives: bool
) -> None:
    step, killed = 0, True
    while killed:
        after = state / str(step)
        _bring_up(after)
        if not lives:
            end_engines(after)
        killed = _killed_at(step, _stopped, after)
        _launcher(after).seen()
        until(partial(_stopped, after))
        assert engines(after) == []
        assert _launcher(after).seen().nodes[0].ended_at is not None
        step += 1
    assert step > 5


def test_an_engine_survives_the_daemon_that_started_it(state: Path) -> None:
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    command = (sys.executable, "-c", _DAEMON, str(state))
    daemon = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(write_end,)
    )
    os.close(write_end)
    try:
        launcher = _launcher(state)
        until(lambda: any(seen.endpoint for seen in launcher.seen().replicas))
    finally:
        daemon.kill()
        assert daemon.communicate(timeout=30)[0] == b""  # returns only when nobody holds the pipe
    assert os.read(read_end, 1) == b""  # and nobody holds what the daemon had inherited
    os.close(read_end)
    (seen,) = launcher.seen().replicas
    until(lambda: httpx.get(f"{seen.endpoint}/health").status_code == 200)
    assert engines(state) == [seen.pid]
    until(lambda: _stopped(state))
    assert engines(state) == []


def test_starting_one_replica_from_many_launchers_at_once_gives_one_process(state: Path) -> None:
    _launcher(state).launch(a_node_order())
    gate = threading.Barrier(8)

    def start() -> None:
        launcher = _launcher(state)
        gate.wait()
        launcher.start_replica(a_replica_order())

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engines(state)) == 1
    until(lambda: any(seen.endpoint for seen in _launcher(state).seen().replicas))
    assert len(engines(state)) == 1
