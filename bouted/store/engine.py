"""Makes engines: one set of SQLite settings for all, and clear refusals of URLs that cannot work."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from bouted.errors import Misconfigured
from bouted.store.silence import LINK, STATEMENT_MS
from bouted.store.urls import shown, sqlite_path

BUSY_MS = 5000
IDLE_MS = 5000  # well within the daemon's lease
WAL_TRY_MS = 20
LOG_BYTES = 64 * 2**20  # what a write-ahead log is cut back to
_LIBPQ = ("psycopg", "psycopg2")
_SPELLING = "write sqlite:////folder/bouted.db"

WRITES = "bouted_writes"
"""Execution option of connections whose transactions take SQLite's write lock at once."""


def make_engine(url: str, *, migrating: bool = False) -> Engine:
    """An engine for `url`; nothing is opened yet. Misconfigured when the URL or its driver will not do.

    `migrating` leaves foreign keys unenforced and pools nothing: SQLite rebuilds tables to alter them. A
    server may then take the time it needs.
    """
    path = sqlite_path(url)
    if (path is None and url.startswith("sqlite")) or path in (Path(), Path(":memory:")):
        raise Misconfigured(shown(url), "not a database file", hint=_SPELLING)
    try:
        engine = create_engine(url, poolclass=NullPool) if migrating else create_engine(url)
    except (ArgumentError, NoSuchModuleError) as cause:
        raise Misconfigured(shown(url), "not a database URL", hint=_SPELLING) from cause
    except ModuleNotFoundError as cause:
        hint = "pip install 'bouted[postgres]'"
        raise Misconfigured(shown(url), f"needs the Python package {cause.name}", hint=hint) from cause
    if path is not None:
        _set_up_sqlite(engine, enforce_keys=not migrating)
    elif engine.dialect.name == "postgresql":
        _limit_silence(engine)
        if not migrating:
            _set_up_postgres(engine)
    return engine


def _limit_silence(engine: Engine) -> None:
    """A server whose host has vanished must fail us soon: a daemon that waits for it keeps no lease, and a
    standby takes none. What the URL says stands."""
    if engine.driver not in _LIBPQ:
        return

    @event.listens_for(engine, "do_connect")
    def on_do_connect(_dialect: object, _record: object, _args: object, named: dict[str, Any]) -> None:
        for name, value in LINK.items():
            named.setdefault(name, value)


def _set_up_postgres(engine: Engine) -> None:
    """A process that stops inside a transaction, or whose machine is gone, must not keep its locks: the
    lease would outlive it. Nor must a statement take longer than a lease lasts. What the URL's options say
    stands."""
    said = str(engine.url.query.get("options", ""))
    limits = {"idle_in_transaction_session_timeout": IDLE_MS, "statement_timeout": STATEMENT_MS}

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for name, limit_ms in limits.items():
                if name not in said:
                    cursor.execute(f"SET {name} = {limit_ms}")
        connection.commit()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turns the write-ahead log on. Two processes may do so at once, and SQLite does not wait for that."""
    tries = BUSY_MS // WAL_TRY_MS
    for left in reversed(range(tries)):
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if left == 0 or "locked" not in str(error):
                raise
            time.sleep(WAL_TRY_MS / 1000)


def _set_up_sqlite(engine: Engine, *, enforce_keys: bool) -> None:
    """Sets what SQLite wants per connection, and takes the transactions' BEGIN out of the driver's hands."""
    pragmas = (
        "synchronous = FULL",  # an intent must outlive the power: money follows it
        f"journal_size_limit = {LOG_BYTES}",
        f"foreign_keys = {'ON' if enforce_keys else 'OFF'}",
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}").close()
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL").close()  # counts for a new file only
        _use_wal(connection)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    # A transaction that reads first and writes later cannot wait for another writer: it must fail. So
    # whoever means to write says so at BEGIN.
    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
