"""What the doctor says of a SkyPilot launcher, with SkyPilot in memory."""

import os
import socket
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from bouted.providers import sky_doctor
from bouted.providers.local_process import take_lock
from bouted.providers.sky_doctor import SkyDoctor
from bouted.providers.sky_home import SkyHome
from bouted.providers.sky_memory import MemorySky
from bouted.providers.sky_options import SkyOptions
from bouted.providers.sky_wire import SkyError

from bouted.clock import SystemClock
from bouted.errors import Retryable
from bouted.reconcile.checkup import Finding, State
from bouted.testing.deployment import free_port

AWS_ON = "  AWS: enabled [compute, storage]\n"
AWS_OFF = "  AWS: disabled \n    Reason [compute]: AWS credentials are not set.\n"
GCP_OFF = "  GCP: disabled \n    Reason [compute]: GCP tools are not installed.\n"
SSH_OFF = "  SSH: disabled \n    Reason [compute]: no pool.\n      $ sky ssh up\n"


@dataclass
class Bench:
    """A doctor on folders and a port of its own, and a SkyPilot in memory that says `sky.checked`."""

    root: Path
    sky: MemorySky

    def __post_init__(self) -> None:
        self.home = SkyHome(folder=self.root / "home", port=free_port())
        self.home.folder.mkdir()
        self.credentials = self.root / "user"
        self.credentials.mkdir()

    def check_up(self, **options: object) -> dict[str, Finding]:
        asked = SkyOptions.from_config({"credentials_from": str(self.credentials), **options})
        doctor = SkyDoctor(home=self.home, options=asked, served=lambda: nullcontext(self.sky))
        return {finding.what: finding for finding in doctor.check_up()}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(sky_doctor, "LOOK_S", 0.0)
    return Bench(tmp_path, MemorySky(root=tmp_path / "clusters", clock=SystemClock(), checked=AWS_ON))


def states(found: dict[str, Finding]) -> dict[str, str]:
    return {what: finding.state.value for what, finding in found.items()}


def test_where_a_cloud_lets_skypilot_in_others_may_stay_off(bench: Bench) -> None:
    bench.sky.checked = AWS_ON + GCP_OFF
    found = bench.check_up()
    assert list(found)[2:] == ["API server", "credentials", "aws", "gcp"]
    assert found["aws"] == Finding(what="aws", state=State.OK, told="SkyPilot can rent there")
    assert found["gcp"] == Finding(what="gcp", state=State.OFF, told="GCP tools are not installed")


def test_where_none_does_every_cloud_has_its_fix(bench: Bench) -> None:
    bench.sky.checked = AWS_OFF + GCP_OFF
    found = bench.check_up()
    assert (found["aws"].state, found["aws"].hint) == (
        State.OFF,
        "aws configure (or give this machine a role)",
    )
    assert found["gcp"].hint.startswith("pip install 'bouted[gcp]'")
    assert found["clouds"] == Finding(
        what="clouds", state=State.TROUBLE, told="SkyPilot can rent nowhere: set one up"
    )


def test_a_cloud_or_own_machines_that_the_config_names_must_be_set_up(bench: Bench) -> None:
    bench.sky.checked = AWS_ON + GCP_OFF + SSH_OFF
    found = bench.check_up(clouds=["aws", "gcp"], infra={"rack1": "ssh/rack1"})
    assert (found["gcp"].state, found["ssh"].state) == (State.TROUBLE, State.TROUBLE)
    assert found["ssh"].hint == "sky ssh up"
    assert found["gcp"].hint


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, ("aws", "gcp", "azure", "lambda", "runpod")),
        ({"clouds": ["GCP"]}, ("gcp",)),
        ({"infra": {"a": "k8s/pods"}}, ("aws", "gcp", "azure", "lambda", "runpod", "kubernetes")),
        ({"clouds": ["aws"], "infra": {"a": "ssh/x", "b": "k8s/y"}}, ("aws", "kubernetes", "ssh")),
    ],
)
def test_no_cloud_is_asked_for_nothing(
    bench: Bench, options: dict[str, object], asked: tuple[str, ...]
) -> None:
    bench.check_up(**options)
    assert bench.sky.asked == [asked]


def test_the_api_servers_port_is_free_or_ours_or_somebody_elses(bench: Bench) -> None:
    port = bench.home.port
    asked = {"port": port}
    assert bench.check_up(**asked)["API server"].told == f"port {port} is free for it"
    with closing(socket.create_server(("127.0.0.1", port))):
        found = bench.check_up(**asked)["API server"]
        assert found == Finding(
            what="API server",
            state=State.TROUBLE,
            told=f"something else listens on port {port}",
            hint="launcher.options.port: another one",
        )
        held = take_lock(bench.home.server_lock)
        assert held is not None
        assert bench.check_up(**asked)["API server"].told == f"ours runs on port {port}"
        os.close(held)


def test_credentials_are_listed_where_their_own_tools_put_them(bench: Bench) -> None:
    assert bench.check_up()["credentials"] == Finding(
        what="credentials", state=State.OFF, told=f"no cloud's under {bench.credentials}"
    )
    (bench.credentials / ".aws").mkdir()
    (bench.credentials / ".config" / "gcloud").mkdir(parents=True)
    assert bench.check_up()["credentials"].told == f".aws, .config/gcloud under {bench.credentials}"


def test_programs_that_skypilot_runs_must_be_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = bench.root / "bin"
    programs.mkdir()
    (programs / "ssh").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    found = bench.check_up()
    assert found["ssh"] == Finding(what="ssh", state=State.OK, told=str(programs / "ssh"))
    assert (found["rsync"].state, found["rsync"].hint) == (State.TROUBLE, "apt install rsync")


def test_a_skypilot_that_refuses_does_not_answer_or_says_nothing_is_trouble_in_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sky.checked = ""
    assert bench.check_up()["clouds"].told == "SkyPilot told of no cloud"
    monkeypatch.setattr(
        MemorySky, "error", lambda sky, id: SkyError(type="ValueError", message="Cloud 'x'\nis none")
    )
    assert bench.check_up()["clouds"].told == "SkyPilot: Cloud 'x' is none"

    def silent(sky: MemorySky, clouds: object) -> str:
        raise Retryable("SkyPilot's API server does not answer", after_s=1.0, hint="wait")

    monkeypatch.setattr(MemorySky, "check", silent)
    found = bench.check_up()["clouds"]
    assert (found.state, found.told, found.hint) == (
        State.TROUBLE,
        "SkyPilot's API server does not answer",
        "wait",
    )
