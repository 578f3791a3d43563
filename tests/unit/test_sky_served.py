"""Where the doctor's SkyPilot comes from, and that nothing of it stays."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bouted.providers import sky_served
from bouted.providers.local_process import take_lock
from bouted.providers.sky_home import SkyHome
from bouted.providers.sky_options import SkyOptions
from bouted.providers.sky_served import served
from bouted.providers.sky_server import SkyServer

from bouted.errors import Retryable


@pytest.fixture
def home(tmp_path: Path) -> SkyHome:
    (tmp_path / "home").mkdir()
    return SkyHome(folder=tmp_path / "home", port=1)


@pytest.fixture
def options(tmp_path: Path) -> SkyOptions:
    (tmp_path / "user" / ".aws").mkdir(parents=True)
    return SkyOptions.from_config({"credentials_from": str(tmp_path / "user")})


class Servers:
    """What was done with API servers, none of which is real."""

    def __init__(self) -> None:
        self.tended: list[SkyHome] = []
        self.stopped: list[SkyHome] = []
        self.answers = True


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers()

    def tend(server: SkyServer) -> bool:
        server.prepare()
        servers.tended.append(server.home)
        return servers.answers

    monkeypatch.setattr(SkyServer, "tend", tend)
    monkeypatch.setattr(SkyServer, "stop", lambda server: servers.stopped.append(server.home))
    monkeypatch.setattr(sky_served, "LOOK_S", 0.0)
    return servers


def test_the_server_that_runs_is_asked_and_left_alone(
    home: SkyHome, options: SkyOptions, servers: Servers
) -> None:
    held = take_lock(home.server_lock)
    assert held is not None
    with served(home, options) as client:
        assert client.home == home
    os.close(held)
    assert (servers.tended, servers.stopped) == ([], [])


def test_the_server_that_runs_is_asked_with_the_credentials_and_options_of_now(
    home: SkyHome, options: SkyOptions, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = take_lock(home.server_lock)
    assert held is not None
    with served(home, replace(options, clouds=("aws",))):
        assert (home.folder / ".aws").is_symlink()
        assert "aws" in (home.folder / ".sky" / "config.yaml").read_text()
    monkeypatch.setattr(os, "geteuid", lambda: home.folder.stat().st_uid + 1)
    with served(home, options):
        assert (home.folder / ".sky" / "config.yaml").exists()
    os.close(held)


def test_where_none_runs_one_is_started_elsewhere_and_nothing_of_it_stays(
    home: SkyHome, options: SkyOptions, servers: Servers
) -> None:
    with served(home, options) as client:
        spare = client.home
        assert (spare.folder / ".aws").is_symlink()
        assert spare.port != home.port
    assert servers.stopped == [spare]
    assert not spare.folder.exists()
    assert list(home.folder.iterdir()) == []
    assert (options.credentials_from / ".aws").exists()


@contextmanager
def ended_by(error: type[BaseException]) -> Iterator[None]:
    with pytest.raises(error):
        yield


def test_a_server_that_was_started_is_ended_whatever_happens(
    home: SkyHome, options: SkyOptions, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ended_by(SystemExit), served(home, options):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    with ended_by(KeyboardInterrupt), served(home, options):
        raise KeyboardInterrupt
    servers.answers = False
    monkeypatch.setattr(sky_served, "START_S", -1.0)
    with ended_by(Retryable), served(home, options):
        raise AssertionError("it never answered")
    assert len(servers.stopped) == 3
    assert not any(spare.folder.exists() for spare in servers.stopped)
