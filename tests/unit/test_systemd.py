"""The units that ship are ones systemd accepts, and stopping the daemon leaves the fleet alone."""

import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
UNITS = ("bouted.service", "bouted-gateway.service")


class _Unit(RawConfigParser):
    """Keeps each key's case; of repeated keys (Environment=) the last stays."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, delimiters=("=",), interpolation=None)
        self.read_string((SYSTEMD / name).read_text())

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_analyze_has_nothing_to_say_about_a_unit(name: str, tmp_path: Path) -> None:
    # Verify wants the executable and the manual to exist here; they exist where the unit is installed.
    text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", (SYSTEMD / name).read_text())
    (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="no systemd-sysusers on this machine")
def test_the_user_file_is_one_sysusers_accepts() -> None:
    command = ["systemd-sysusers", "--dry-run", str(SYSTEMD / "bouted.sysusers")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr


def test_stopping_the_daemon_signals_the_daemon_only() -> None:
    assert _Unit("bouted.service")["Service"]["KillMode"] == "process"


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_started_again_however_often_it_failed(name: str) -> None:
    unit = _Unit(name)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert unit["Service"]["Restart"] in ("always", "on-failure")
    assert int(unit["Service"]["RestartSec"]) > 0


def test_the_gateway_does_not_fall_with_the_daemon() -> None:
    unit = _Unit("bouted-gateway.service")["Unit"]
    ties = {"Requires", "BindsTo", "PartOf", "Requisite"}
    assert ties.isdisjoint(unit)


def test_the_two_units_do_not_share_a_runtime_folder() -> None:
    folders = [_Unit(name)["Service"]["RuntimeDirectory"] for name in UNITS]
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_with_the_config_in_its_place(name: str) -> None:
    command = _Unit(name)["Service"]["ExecStart"].split()
    assert command[0] == "/opt/bouted/bin/bouted"
    assert command[-2:] == ["--config", "/etc/bouted/bouted.yaml"]
