"""What every test lives by: loopback only, nothing outside while a transaction writes, repeatable examples,
measured data only where it is present."""

import ipaddress
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Connection, Engine
from sqlalchemy import event as database

from bouted.store.engine import WRITES

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent


def _loopback_only(event: str, args: tuple[object, ...]) -> None:
    """Audit hook: an attempt to connect beyond this machine fails the test that made it."""
    if event != "socket.connect" or not isinstance(args[1], tuple):
        return
    host = str(args[1][0])
    if host != "localhost" and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise AssertionError(f"a test tried to reach {host}; tests speak to loopback only")


sys.addaudithook(_loopback_only)


_here = threading.local()


@database.listens_for(Engine, "begin")
def _begun(connection: Connection) -> None:
    _here.writes = bool(connection.get_execution_options().get(WRITES))


@database.listens_for(Engine, "commit")
@database.listens_for(Engine, "rollback")
def _ended(_: Connection) -> None:
    _here.writes = False


def _nothing_outside_while_writing(event: str, _: tuple[object, ...]) -> None:
    """Audit hook: whoever waits for a network or a process must not hold the one writer's lock meanwhile."""
    if event in ("socket.connect", "subprocess.Popen") and getattr(_here, "writes", False):
        raise AssertionError(f"{event} while a transaction writes")


sys.addaudithook(_nothing_outside_while_writing)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Measured data beside the checkout; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder
