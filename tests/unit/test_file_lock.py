"""One at a time, and a holder that is stopped holds nobody up in silence: real processes, real signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bouted.providers.file_lock import alone, holder

from bouted.errors import Retryable

_HOLD = """
import sys
from pathlib import Path
from bouted.providers.file_lock import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def a_holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        (sys.executable, "-c", _HOLD, path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_one_at_a_time_and_again_after_that(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for _ in range(2):
        with alone(path):
            assert holder(path) == str(os.getpid())
            with pytest.raises(Retryable, match=f"process {os.getpid()} has held"), alone(path, 0.0):
                raise AssertionError("two at a time")
    assert holder(path) == ""


def test_a_holder_that_was_stopped_is_named_and_one_that_was_killed_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with a_holder(path) as other:
        other.send_signal(signal.SIGSTOP)
        with pytest.raises(Retryable) as told, alone(path, 0.1):
            raise AssertionError("two at a time")
        assert told.value.message == f"process {other.pid} has held {path} for more than 0 s"
        assert told.value.hint == f"if it was stopped: kill -CONT {other.pid}, or end it"
        other.kill()
        with alone(path, 10.0):
            pass
