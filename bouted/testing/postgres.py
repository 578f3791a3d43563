"""A real PostgreSQL on this machine, started in about a second without any set-up, for tests and benches."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError

from sqlalchemy import text

from bouted.store.engine import make_engine
from bouted.store.open import Store
from bouted.store.tables import Base


class NoPostgres(Exception):
    """None can be started here; the message says why in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server. It listens on a socket in its own folder and forgets everything at its end."""

    url: str

    def make(self, database: str) -> str:
        """The URL of a new, empty database."""
        engine = make_engine(self.url).execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{database}"'))
        engine.dispose()
        return self.url.replace("/postgres?", f"/{database}?")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server until the block ends. It does not sync to disk: nothing in it needs to survive.

    NoPostgres where the package pgserver is missing or its server does not start.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pgserver looks for a login session's folder when imported
            from pgserver.postgres_server import get_server
    except ImportError as cause:
        raise NoPostgres("the Python package pgserver is not installed") from cause
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        try:
            server = get_server(Path(folder) / "data", cleanup_mode="stop")
        except (OSError, AssertionError, RuntimeError, SubprocessError) as cause:
            told = " ".join(str(cause).split())
            raise NoPostgres(f"PostgreSQL does not start here: {told}") from cause
        try:
            server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
            yield Postgres(url=server.get_uri())
        finally:
            server.cleanup()


def emptied(store: Store) -> Store:
    """The same store without a row, its numbers starting anew: quicker than making another."""
    tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with store.engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    return store
