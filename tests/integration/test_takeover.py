"""Two daemons share a PostgreSQL store: one acts, the other waits, and takes over when the first is gone."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from crash_real_deaths import SECOND
from crash_real_takeover import Pair

from bouted.daemon.service import LEASE_S
from bouted.errors import AlreadyRunning
from bouted.store.documents import put_document
from bouted.store.lease import DAEMON_LEASE, lease_now, take_lease
from bouted.store.open import Store, open_store
from bouted.store.plans import set_desired_plan
from bouted.testing.postgres import NoPostgres, Postgres, postgres
from bouted.testing.processes import until

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SLACK_S = 2.0  # for a busy machine


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as started:
            yield started
    except NoPostgres as why:
        pytest.skip(str(why))


@pytest.fixture
def pair(server: Postgres, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(folder=tmp_path, url=server.make(f"pair{os.getpid()}"))
    yield made
    made.close()


@pytest.mark.timeout(400)
def test_a_standby_takes_over_from_a_killed_and_from_a_paused_daemon_with_the_same_fleet(pair: Pair) -> None:
    pair.one.start()
    pair.until_active(pair.one)
    pair.two.start()
    until(lambda: pair.standby() == pair.two.holder)
    pair.until_settled()
    fleet = pair.seen().replicas
    assert pair.two.steps == [], "a standby journals nothing"

    pair.one.signal(signal.SIGKILL)
    assert pair.until_active(pair.two) < LEASE_S + SLACK_S
    assert pair.one.ended() == -signal.SIGKILL
    pair.one.start()
    until(lambda: pair.standby() == pair.one.holder)
    pair.until_settled()
    assert pair.seen().replicas == fleet, "the same processes under the same names"

    pair.until_acting(pair.two)
    pair.two.pause()
    assert pair.until_active(pair.one) < LEASE_S + SLACK_S
    set_desired_plan(pair.store, SECOND)
    pair.until_settled()
    moved, tried = pair.seen(), pair.two.steps
    assert not {replica.name for replica in moved.replicas} & {replica.name for replica in fleet}

    pair.two.signal(signal.SIGCONT)
    assert pair.two.ended() == 1
    assert f"AlreadyRunning: the daemon lease is held by {pair.one.holder}" in pair.two.log()
    assert pair.two.steps == tried, "whoever wakes up overtaken neither writes nor acts"
    assert pair.active() == pair.one.holder
    assert pair.seen() == moved


def test_a_daemon_paused_inside_a_transaction_does_not_hold_the_lease_back(server: Postgres) -> None:
    url = server.make("paused")
    with closing(open_store(url)) as store:
        token = take(store, "one", ttl_s=0.0)
    pid = os.fork()
    if pid == 0:
        write_and_pause(url, token)
    os.waitpid(pid, os.WUNTRACED)
    with closing(open_store(url)) as store:
        until(lambda: take(store, "two", ttl_s=60.0) == token + 1)
        os.kill(pid, signal.SIGCONT)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
        with pytest.raises(AlreadyRunning, match="held by two"):
            put_document(store.fenced(DAEMON_LEASE, token), "problem", b"{}")


def take(store: Store, holder: str, *, ttl_s: float) -> int:
    return take_lease(store, DAEMON_LEASE, holder, lease_now(store, datetime.now(UTC)), ttl_s)


def write_and_pause(url: str, token: int) -> None:
    """In a child: stops amid a write, and ends with 0 only if that is committed after it goes on."""
    try:
        with open_store(url).fenced(DAEMON_LEASE, token).writing():
            os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    finally:
        os._exit(1)
