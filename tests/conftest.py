"""What every test lives by: loopback only, repeatable examples, measured data only where it is present."""

import ipaddress
import sys
from pathlib import Path

import pytest
from hypothesis import settings

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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Measured data beside the checkout; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder
