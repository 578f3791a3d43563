"""What `bouted doctor` does with the launcher that the config names."""

import json
from pathlib import Path

import pytest
from bouted.providers.skypilot import SkyLauncher

from bouted.cli.main import run
from bouted.reconcile.checkup import Finding, State
from bouted.testing.deployment import Deployment

FINE = Finding(what="aws", state=State.OK, told="SkyPilot can rent there")
NOT_FINE = Finding(what="rsync", state=State.TROUBLE, told="not on this machine", hint="apt install rsync")


@pytest.fixture
def deployed(tmp_path: Path) -> Deployment:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    return deployment


def use(deployed: Deployment, launcher: str) -> None:
    text = deployed.config_path.read_text()
    before = "launcher: {name: local, options: {boot_s: 0.2}}"
    deployed.config_path.write_text(text.replace(before, f"launcher: {{{launcher}}}"))


@pytest.mark.parametrize(("findings", "code"), [((FINE,), 0), ((FINE, NOT_FINE), 1)])
def test_a_launchers_findings_follow_the_sources_and_trouble_is_exit_1(
    deployed: Deployment,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    findings: tuple[Finding, ...],
    code: int,
) -> None:
    monkeypatch.setattr(SkyLauncher, "check_up", lambda launcher: findings)
    use(deployed, "name: skypilot")
    assert run(["doctor", "--config", str(deployed.config_path)]) == code
    lines = capsys.readouterr().out.splitlines()
    below = lines[lines.index("") + 1 :]
    assert [line.split()[0] for line in below if line][: 1 + len(findings)] == [
        "LAUNCHER",
        *(finding.what for finding in findings),
    ]
    assert ("rsync: apt install rsync" in lines) == (NOT_FINE in findings)
    assert run(["doctor", "--json", "--config", str(deployed.config_path)]) == code
    told = json.loads(capsys.readouterr().out)["launcher"]
    assert told["name"] == "skypilot"
    assert [one["state"] for one in told["findings"]] == [finding.state.value for finding in findings]


def test_options_that_the_launcher_refuses_are_findings_and_the_sources_are_told_still(
    deployed: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    use(deployed, "name: skypilot, options: {prot: 1, disk_gib: many}")
    assert run(["doctor", "--config", str(deployed.config_path)]) == 1
    out = capsys.readouterr().out
    assert "snapshot" in out
    assert "options: did you mean port?" in out
    assert "launcher.options.disk_gib" in out


def test_a_launcher_that_needs_nothing_is_not_told_of(
    deployed: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--config", str(deployed.config_path)]) == 0
    assert "LAUNCHER" not in capsys.readouterr().out
    assert run(["doctor", "--json", "--config", str(deployed.config_path)]) == 0
    assert json.loads(capsys.readouterr().out)["launcher"] == {"name": "local", "findings": []}
