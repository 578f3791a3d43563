"""Systemd's watchdog hears of every pass that ended, and is left alone by one that hangs or breaks."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bouted.daemon.schedule import Job, always
from bouted.daemon.service import Service
from bouted.errors import Misconfigured, Retryable
from bouted.testing.passes import service_over
from bouted.testing.store import fresh_store

AWAY = Retryable("postgresql://db/bouted: gone", after_s=1.0, hint="check the database's server")


@dataclass
class Ends:
    """A reconciler whose pass ends with this error; without one it never ends."""

    error: Exception | None

    async def run_pass(self) -> None:
        if self.error is None:
            await asyncio.Event().wait()
        else:
            raise self.error


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Stands in for systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with closing(fresh_store(tmp_path)) as store:
        yield service_over(store, tmp_path)


def heard(manager: socket.socket) -> list[str]:
    """What the manager was told since it was last asked."""
    lines: list[str] = []
    try:
        while True:
            lines += manager.recv(4096).decode().splitlines()
    except BlockingIOError:
        return lines


def turn(service: Service) -> None:
    """One turn of the job that makes passes, as the schedule gives it; one that hangs is left."""
    job = Job(name="run_pass", do=service.run_pass, every_s=always(1.0))

    async def briefly() -> None:
        await asyncio.wait({asyncio.ensure_future(service.attend(job))}, timeout=0.05)

    asyncio.run(briefly())


def test_a_pass_that_ended_well_feeds_the_watchdog(service: Service, manager: socket.socket) -> None:
    turn(service)
    assert heard(manager) == ["WATCHDOG=1", "STATUS=no plan yet"]


def test_a_pass_that_waits_for_its_database_feeds_it_and_says_so(
    service: Service, manager: socket.socket
) -> None:
    service.reconciler = Ends(AWAY)  # type: ignore[assignment]
    for _ in range(3):
        turn(service)
        assert heard(manager) == ["WATCHDOG=1", f"STATUS=waits: {AWAY}"]
    assert service.fatal is None
    assert not service.stop.is_set()


@pytest.mark.parametrize("error", [None, KeyError("a bug"), Misconfigured("db", "is damaged")])
def test_a_pass_that_hangs_or_breaks_does_not(
    error: Exception | None, service: Service, manager: socket.socket
) -> None:
    service.reconciler = Ends(error)  # type: ignore[assignment]
    turn(service)
    assert heard(manager) == []
