"""Reads a store on a database server without changing it; apart, so that SQLite needs no SQLAlchemy."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from bouted.store import refuse
from bouted.store.engine import make_engine
from bouted.store.names import SCHEMA_REVISION


@contextmanager
def reading_server(url: str) -> Iterator[Connection]:
    """A connection to read over; Misconfigured or Retryable when the database cannot be read."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as cause:
        raise refuse.unusable(url, cause.orig or cause) from cause
    finally:
        engine.dispose()


def server_revision(connection: Connection, url: str) -> str | None:
    """The schema's revision, None for a database without tables; Misconfigured if it is from the future."""
    if not inspect(connection).get_table_names():
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision > SCHEMA_REVISION:
        raise refuse.future(url, revision)
    return revision


def read_rows(url: str, board: str, leases: str) -> tuple[str | None, list[tuple[str, str, datetime]]]:
    """The board's text, and each lease's name, holder and expiry, by these two queries, in one connection."""
    with reading_server(url) as connection:
        if server_revision(connection, url) is None:
            return None, []
        body = connection.execute(text(board)).scalar()
        rows = connection.execute(text(leases)).all()
    return body, [(name, holder, until) for name, holder, until in rows]
