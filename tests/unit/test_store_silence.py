"""A database server that is silent, or busy, fails us well before the daemon's lease ends."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

from bouted.daemon.service import LEASE_S
from bouted.errors import BoutedError, Retryable
from bouted.store.engine import make_engine
from bouted.store.open import Store, open_store
from bouted.store.read_prices import read_offers
from bouted.store.silence import LINK, STATEMENT_MS
from bouted.testing.postgres import Postgres
from bouted.testing.processes import until


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://bouted@127.0.0.1:{listener.getsockname()[1]}/bouted"


def in_force(url: str, *, migrating: bool = False) -> tuple[dict[str, str], str]:
    """What the driver was asked for, and how long the server works on a statement."""
    engine = make_engine(url, migrating=migrating)
    try:
        return asked(engine), told(engine, "statement_timeout")
    finally:
        engine.dispose()


def asked(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        return {name: value for name, value in raw.info.get_parameters().items() if name in LINK}


def told(engine: Engine, name: str) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text(f"SHOW {name}")).scalar())


def test_limits_are_in_force_and_end_before_the_lease_does(postgres_server: Postgres) -> None:
    link, statement = in_force(postgres_server.url)
    assert link == {name: str(value) for name, value in LINK.items()}
    assert statement == f"{STATEMENT_MS // 1000}s"
    noticed_s = LINK["keepalives_idle"] + LINK["keepalives_interval"] * LINK["keepalives_count"]
    assert LINK["connect_timeout"] + max(noticed_s, LINK["tcp_user_timeout"] / 1000) < LEASE_S
    assert STATEMENT_MS / 1000 < LEASE_S


def test_an_upgrade_of_the_schema_has_time(postgres_server: Postgres) -> None:
    link, statement = in_force(postgres_server.url, migrating=True)
    assert (set(link), statement) == (set(LINK), "0")


def test_what_the_url_says_stands(postgres_server: Postgres) -> None:
    options = "options=-c%20statement_timeout%3D12000"
    url = f"{postgres_server.url}&connect_timeout=5&keepalives_idle=7&{options}"
    link, statement = in_force(url)
    assert (link["connect_timeout"], link["keepalives_idle"], statement) == ("5", "7", "12s")
    assert link["tcp_user_timeout"] == str(LINK["tcp_user_timeout"])


def test_a_statement_that_takes_too_long_is_worth_another_try(postgres_server: Postgres) -> None:
    url = f"{postgres_server.url}&options=-c%20statement_timeout%3D50"
    with closing(Store(engine=make_engine(url), url=url)) as store:
        with pytest.raises(Retryable, match="statement timeout"), store.reading() as session:
            session.execute(text("SELECT pg_sleep(60)"))
        with store.reading() as session:
            assert session.execute(text("SELECT 1")).scalar() == 1


def idle_until_ended(store: Store, others: Engine) -> None:
    """Reads, waits until the server has ended the session, and reads on."""
    with store.reading() as session:
        pid = session.execute(text("SELECT pg_backend_pid()")).scalar()
        until(lambda: not is_there(others, pid))
        session.execute(text("SELECT 1"))


def is_there(engine: Engine, pid: object) -> bool:
    with engine.connect() as connection:
        found = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        return bool(connection.execute(found, {"pid": pid}).scalar())


def test_a_session_that_the_server_ended_while_it_idled_is_worth_another_try(
    postgres_server: Postgres,
) -> None:
    url = f"{postgres_server.url}&options=-c%20idle_in_transaction_session_timeout%3D20"
    others = make_engine(postgres_server.url)
    with closing(Store(engine=make_engine(url), url=url)) as store:
        with pytest.raises(Retryable, match="idle-in-transaction"):
            idle_until_ended(store, others)
        with store.reading() as session:
            assert session.execute(text("SELECT 1")).scalar() == 1
    others.dispose()


def test_a_server_that_never_answers_is_given_up_soon(silent: str) -> None:
    began = time.monotonic()
    with (
        closing(Store(engine=make_engine(silent), url=silent)) as store,
        pytest.raises(Retryable, match="timeout"),
        store.reading() as session,
    ):
        session.execute(text("SELECT 1"))
    assert time.monotonic() - began < LEASE_S / 2


@pytest.mark.parametrize("opened", [open_store, read_offers])
def test_no_way_in_waits_for_long(opened: Callable[[str], object], silent: str) -> None:
    began = time.monotonic()
    with pytest.raises(BoutedError, match="timeout"):
        opened(silent)
    assert time.monotonic() - began < LEASE_S
