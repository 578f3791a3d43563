"""Reads a SQLite store without changing it and without SQLAlchemy."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bouted.errors import Misconfigured
from bouted.store import refuse
from bouted.store.names import SCHEMA_REVISION
from bouted.store.urls import quoted, shown


def is_there(path: Path, url: str) -> bool:
    """Whether a file is at `path`; Misconfigured for a folder, or where nothing may be looked at."""
    try:
        if path.is_dir():
            raise Misconfigured(shown(url), "is a folder, not a database file", hint="move it away")
        return path.exists()
    except OSError as cause:
        hint = "check who owns the state folder, and run this as that user"
        raise Misconfigured(shown(url), f"cannot be reached: {cause.strerror}", hint=hint) from cause


@contextmanager
def read_only(path: Path, url: str) -> Iterator[sqlite3.Connection]:
    """A read-only connection to an existing file; Misconfigured or Retryable when it cannot be read."""
    try:
        with closing(_connect(path)) as connection:
            yield connection
    except sqlite3.Error as cause:
        raise refuse.unusable(url, cause) from cause


def revision_of(connection: sqlite3.Connection, url: str) -> str | None:
    """The schema's revision, None for a database without tables; Misconfigured if it is from the future."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        return None
    revision = str(row[0])
    if revision > SCHEMA_REVISION:
        raise refuse.future(url, revision)
    return revision


def _connect(path: Path) -> sqlite3.Connection:
    """Opened read-only. In a folder that cannot be written, a file without a log is read as it is."""
    name = f"file:{quoted(path)}?mode=ro"
    connection = sqlite3.connect(name, uri=True, timeout=5.0)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError as cause:
        connection.close()
        if "unable to open" not in str(cause) or path.with_name(path.name + "-wal").exists():
            raise
        return sqlite3.connect(name + "&immutable=1", uri=True)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
