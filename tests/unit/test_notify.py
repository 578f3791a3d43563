"""What systemd hears from the daemon, over real datagram sockets."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bouted.systemd_notify import notify, watchdog_interval_s

ABSTRACT = f"bouted-test-{os.getpid()}"


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(5)
        manager.bind(address)
        yield manager


def test_a_manager_hears_the_lines_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with listening(address) as manager:
        assert notify("READY=1", "STATUS=2 nodes, 10 €/h")
        assert manager.recv(4096).decode() == "READY=1\nSTATUS=2 nodes, 10 €/h"
        assert notify("WATCHDOG=1")
        assert manager.recv(4096) == b"WATCHDOG=1"


def test_a_manager_may_listen_on_an_abstract_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{ABSTRACT}")
    with listening(f"\0{ABSTRACT}") as manager:
        assert notify("STOPPING=1")
        assert manager.recv(4096) == b"STOPPING=1"


def test_without_a_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "")
    assert not notify("READY=1")


@pytest.mark.parametrize("name", ["nobody", "n" * 200], ids=["no socket there", "longer than a name may be"])
def test_a_manager_that_is_not_there_harms_nobody(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / name))
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("allowed_us", "pid", "expected"),
    [
        (None, None, None),
        ("30000000", None, 15.0),
        ("30000000", "mine", 15.0),
        ("30000000", "1", None),
        ("1", None, 5e-7),
        ("0", None, None),
        ("", None, None),
        ("soon", None, None),
        ("-5", None, None),
    ],
)
def test_the_watchdog_is_fed_at_half_of_what_is_allowed(
    allowed_us: str | None, pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WATCHDOG_USEC", allowed_us), ("WATCHDOG_PID", pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, str(os.getpid()) if value == "mine" else value)
    assert watchdog_interval_s() == expected
