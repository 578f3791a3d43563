"""A server is ended whole: by its mark, and where that was overwritten by where its output goes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bouted.providers.proc_marked import Family

from bouted.testing.processes import until

SLEEP = (sys.executable, "-S", "-c", "import time; time.sleep(60)")
# Writes over the memory that its environment was passed in, as setproctitle does.
FORGETFUL = (
    sys.executable,
    "-S",
    "-c",
    "import ctypes, time\n"
    "libc = ctypes.CDLL(None)\n"
    "fields = open('/proc/self/stat').read().rpartition(')')[2].split()\n"
    "start, end = int(fields[47]), int(fields[48])\n"
    "ctypes.memset(start, 0, end - start)\n"
    "time.sleep(60)",
)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    made = Family(mark=f"MARK={tmp_path}", folder=tmp_path, spare="SPARE=1")
    yield made
    made.end()


def started(
    family: Family, argv: tuple[str, ...], *, output: bool, **environ: str
) -> "subprocess.Popen[bytes]":
    with (family.folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            argv,
            env={**os.environ, **environ},
            stdout=log if output else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def test_what_has_the_mark_is_ended_and_what_has_not_goes_on(family: Family) -> None:
    name, _, value = family.mark.partition("=")
    ours = started(family, SLEEP, output=False, **{name: value})
    other = started(family, SLEEP, output=False)
    until(lambda: family.living() == {ours.pid})
    family.end()
    ours.wait()
    assert family.living() == frozenset()
    assert other.poll() is None
    other.kill()
    other.wait()


def test_what_wrote_over_its_environment_is_known_by_its_output(family: Family) -> None:
    name, _, value = family.mark.partition("=")
    ours = started(family, FORGETFUL, output=True, **{name: value})
    until(lambda: not Path(f"/proc/{ours.pid}/environ").read_bytes().strip(b"\0"))
    assert family.living() == {ours.pid}
    family.end()
    assert family.living() == frozenset()
    ours.wait()


def test_what_is_to_be_spared_is_spared(family: Family) -> None:
    name, _, value = family.mark.partition("=")
    worker = started(family, SLEEP, output=True, **{name: value, "SPARE": "1"})
    assert family.living() == frozenset()
    worker.kill()
    worker.wait()
