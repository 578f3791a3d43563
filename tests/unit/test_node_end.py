"""How a node that SkyPilot rented ends itself: held against the skylet's own code."""

import subprocess
import sys
from pathlib import Path

import pytest
from bouted.providers.node_end import sky_end_command

# What the skylet does each minute, with what takes the node down replaced by what it was told.
_TICK = """
from sky.backends import CloudVmRayBackend
from sky.skylet import events
class Tick(events.StopEvent):
    def __init__(self):
        pass
    def _stop_cluster(self, config):
        ours = config.backend == CloudVmRayBackend.NAME
        print("down" if config.down else "stop", ours, config.wait_for.name)
Tick()._run()
"""


def _node(home: Path) -> dict[str, str]:
    """The environment on a node."""
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": "/nowhere"}


def test_the_skylets_next_tick_takes_the_node_down(tmp_path: Path) -> None:
    (tmp_path / ".sky").mkdir()
    (tmp_path / ".sky" / "python_path").write_text(f"{sys.executable}\n")
    subprocess.run(sky_end_command(), env=_node(tmp_path), check=True, timeout=60)
    tick = (sys.executable, "-c", _TICK)
    seen = subprocess.run(tick, env=_node(tmp_path), capture_output=True, text=True, check=True, timeout=60)
    assert seen.stdout.splitlines()[-1] == "down True NONE"


@pytest.mark.parametrize("where", ["HOME", "SKY_RUNTIME_DIR"])
def test_the_runtimes_own_python_is_found_where_no_other_is_named(tmp_path: Path, where: str) -> None:
    python = tmp_path / where / "skypilot-runtime" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nenv; pwd; echo "$2"\n')
    python.chmod(0o755)
    env = _node(tmp_path) | {where: str(tmp_path / where)}
    ran = subprocess.run(sky_end_command(), env=env, capture_output=True, text=True, check=True, timeout=60)
    assert "PYTHONPATH" not in ran.stdout
    assert f"\n{env['HOME']}\n" in ran.stdout
    assert "set_autostop(0, 'cloudvmray', AutostopWaitFor.NONE, True)" in ran.stdout


def test_it_fails_where_there_is_no_skypilot(tmp_path: Path) -> None:
    ended = subprocess.run(
        sky_end_command(), env=_node(tmp_path), capture_output=True, check=False, timeout=60
    )
    assert ended.returncode != 0
