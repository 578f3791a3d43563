"""Processes that outlive their parent, and the locks that say whether they live."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from bouted.providers.local_process import (
    LOCK_FD,
    ProcessId,
    identify,
    is_locked,
    reap,
    signal_group,
    spawn,
    take_lock,
)

_REPORT = """
import json, os
fds = {fd: os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
print(json.dumps({"fds": fds, "session": os.getsid(0), "pid": os.getpid(), "env": sorted(os.environ)}))
"""


def _spawned(tmp_path: Path, code: str) -> int:
    lock_fd = take_lock(tmp_path / "it.lock")
    assert lock_fd is not None
    try:
        return spawn((sys.executable, "-c", code), log=tmp_path / "log", lock_fd=lock_fd)
    finally:
        os.close(lock_fd)


def test_a_process_is_identified_by_when_it_started_too() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert me.pid == os.getpid()
    assert me.start_ticks > 0
    assert identify(os.getpid()) == me


def test_a_pid_that_nobody_has_is_no_process() -> None:
    assert identify(2**22 + 1) is None


def test_a_pid_that_was_handed_out_again_is_not_signalled() -> None:
    stranger = ProcessId(pid=os.getpid(), start_ticks=1)
    assert not signal_group(stranger, signal.SIGKILL)


def test_a_spawned_process_shares_nothing_with_its_parent_but_the_lock(tmp_path: Path) -> None:
    ours = os.pipe()
    pipe = os.path.realpath(f"/proc/self/fd/{ours[0]}")
    os.environ["BOUTED_TEST_SECRET"] = "x"
    try:
        pid = _spawned(tmp_path, _REPORT)
    finally:
        del os.environ["BOUTED_TEST_SECRET"]
        for fd in ours:
            os.close(fd)
    os.waitpid(pid, 0)
    report = json.loads((tmp_path / "log").read_text())
    assert report["session"] == report["pid"] == pid
    assert [report["fds"][str(fd)] for fd in (0, 1, 2, LOCK_FD)] == [
        os.devnull,
        str(tmp_path / "log"),
        str(tmp_path / "log"),
        str(tmp_path / "it.lock"),
    ]
    assert pipe.rpartition("/")[2] not in {path.rpartition("/")[2] for path in report["fds"].values()}
    assert "BOUTED_TEST_SECRET" not in report["env"]


def test_a_spawned_process_holds_its_lock_exactly_as_long_as_it_lives(tmp_path: Path) -> None:
    pid = _spawned(tmp_path, "import time; time.sleep(60)")
    assert is_locked(tmp_path / "it.lock")
    assert take_lock(tmp_path / "it.lock") is None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not is_locked(tmp_path / "it.lock")


def test_a_lock_file_that_does_not_exist_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "none.lock")
    assert not is_locked(tmp_path / "no-folder" / "none.lock")


def test_looking_at_a_lock_does_not_keep_anybody_from_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "it.lock"
    path.touch()
    for _ in range(20):
        assert not is_locked(path)
        fd = take_lock(path)
        assert fd is not None
        assert is_locked(path)
        os.close(fd)


def test_children_that_ended_are_collected_and_strangers_are_forgotten(tmp_path: Path) -> None:
    ended = _spawned(tmp_path, "pass")
    pids = {ended, 2**22 + 1}
    deadline = time.monotonic() + 20
    while pids and time.monotonic() < deadline:
        reap(pids)
        time.sleep(0.01)
    assert pids == set()
