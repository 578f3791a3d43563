"""`bouted down` beside a store that several machines share: it leaves the work to whoever is active."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bouted.clock import SystemClock
from bouted.config.locate import locate
from bouted.daemon import down
from bouted.daemon.identity import lease_name
from bouted.store.control import load_control
from bouted.store.fleet import add_node
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store, open_store, sqlite_url
from bouted.testing.deployment import Deployment
from bouted.testing.store import a_node

LAUNCHER = "memory"


@pytest.fixture
def here(tmp_path: Path) -> Deployment:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    deployment.state_dir.mkdir()
    return deployment


def tear_down(here: Deployment) -> tuple[int, list[str]]:
    said: list[str] = []
    code = down.tear_down(here.config_path, locate(here.config_path, None, {}), said.append)
    return code, said


def hold(here: Deployment, holder: str, ttl_s: float) -> None:
    with closing(open_store(sqlite_url(here.state_dir))) as store:
        take_lease(store, DAEMON_LEASE, holder, datetime.now(UTC), ttl_s)


def test_the_active_daemon_elsewhere_is_left_to_do_it(here: Deployment) -> None:
    hold(here, "there:/var/lib/bouted", 60)
    code, said = tear_down(here)
    assert code == 0
    assert said[0] == "the daemon at there:/var/lib/bouted is stopping everything"
    with closing(open_store(sqlite_url(here.state_dir))) as store:
        assert load_control(store).down_requested


@pytest.mark.parametrize(("own", "ttl_s"), [(True, 60.0), (False, 0.0)], ids=["died here", "lease over"])
def test_where_none_is_active_it_is_done_from_here(here: Deployment, own: bool, ttl_s: float) -> None:
    hold(here, lease_name(here.state_dir) if own else "there:/var/lib/bouted", ttl_s)
    code, said = tear_down(here)
    assert code == 0
    assert said[0] == "no daemon runs; stopping everything from here"


def test_once_the_one_elsewhere_has_died_too_waiting_ends(tmp_path: Path) -> None:
    with closing(open_store(sqlite_url(tmp_path))) as store:
        assert left_by(store, ["there:/", ""]) is None


def left_by(store: Store, holders: list[str]) -> int | None:
    """What waiting comes to while these lead in turn and a node stands."""
    add_node(store, a_node())
    return down._wait(store, SystemClock(), LAUNCHER, print, led=lambda: holders.pop(0))
