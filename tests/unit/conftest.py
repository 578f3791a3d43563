"""A store on each database that bouted keeps one in, for the tests of what every store does."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from bouted.store.open import Store, open_store
from bouted.testing.postgres import NoPostgres, Postgres, emptied, postgres
from bouted.testing.store import fresh_store


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One real server, started for the first test that asks."""
    try:
        with postgres() as server:
            yield server
    except NoPostgres as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def on_postgres(postgres_server: Postgres) -> Iterator[Callable[[], Store]]:
    """Gives the empty store on the server; whoever asks again starts anew."""
    with closing(open_store(postgres_server.make("bouted"))) as store:
        yield lambda: emptied(store)


@pytest.fixture(scope="session")
def new_on_postgres(postgres_server: Postgres) -> Callable[[], str]:
    """Gives the URL of a new, empty database on the server."""
    numbers = count()
    return lambda: postgres_server.make(f"new{next(numbers)}")


@pytest.fixture(params=["sqlite", "postgresql"])
def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        yield request.getfixturevalue("on_postgres")()
        return
    store = fresh_store(tmp_path)
    yield store
    store.close()
