"""Real SkyPilot against the stand-in cloud: slow, so that `make sky-test` runs it and `make test` does not.

BOUTED_SKY=1 collects them; with BOUTED_SKY_MUST=1, too, they fail where they cannot run.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bouted.testing.ec2.cloud import StandInCloud
from bouted.testing.ec2.needs import NoStandInCloud

ROOT = Path(__file__).resolve().parents[2]
VENV, PACKAGE = Path("/opt/bouted-venv"), Path("/opt/bouted")

TIMEOUT_S = 900  # the first test may have the machine image made

collect_ignore_glob = [] if os.environ.get("BOUTED_SKY") else ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests here may take long, unless they say otherwise."""
    for item in items:
        if item.path.parent == Path(__file__).parent and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package as it installs."""
    built = tmp_path_factory.mktemp("package")
    built.chmod(0o755)  # for all users of a machine
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bouted", built / "bouted", ignore=leave)
    for name in ("providers", "policies", "migrations"):
        shutil.copytree(ROOT / name, built / "bouted" / name, ignore=leave)
    return built


@pytest.fixture(scope="session")
def cloud(package: Path) -> Iterator[StandInCloud]:
    """The stand-in cloud, with this package at /opt/bouted and its environment at /opt/bouted-venv."""
    reason = StandInCloud.why_not()
    made = StandInCloud(
        image=ROOT / "build" / "sky" / "image",
        shared=[(ROOT / ".venv", VENV), (package, PACKAGE)],
        hidden=[ROOT],
    )
    if not reason:
        try:
            made.start()
        except NoStandInCloud as cause:
            reason = str(cause)
    if reason:
        pytest.fail(reason) if os.environ.get("BOUTED_SKY_MUST") else pytest.skip(reason)
    try:
        yield made
    finally:
        made.stop()
    assert made.home.living() == {}


@pytest.fixture(autouse=True)
def _nothing_refused(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test has the cloud refuse is over with the test."""
    yield
    if "cloud" in request.fixturenames:
        request.getfixturevalue("cloud").faults.relent()
