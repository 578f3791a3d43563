"""A store on each database that bouted keeps one in, for the tests of what every store does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bouted.store.open import Store
from bouted.testing.postgres import NoPostgres, emptied, opened, postgres
from bouted.testing.store import fresh_store


@pytest.fixture(scope="session")
def on_postgres() -> Iterator[Callable[[], Store]]:
    """Gives the empty store on one real server; whoever asks again starts anew."""
    try:
        with postgres() as server:
            store = opened(server, "bouted")
            yield lambda: emptied(store)
            store.close()
    except NoPostgres as why:
        pytest.skip(str(why))


@pytest.fixture(params=["sqlite", "postgresql"])
def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        yield request.getfixturevalue("on_postgres")()
        return
    store = fresh_store(tmp_path)
    yield store
    store.close()
