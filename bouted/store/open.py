"""Opens the store, making or upgrading its schema first, and says clearly when it cannot."""

import sqlite3

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from bouted.errors import Misconfigured
from bouted.store import refuse
from bouted.store.engine import make_engine
from bouted.store.names import SCHEMA_REVISION
from bouted.store.read_server import reading_server, server_revision
from bouted.store.readonly import is_there, read_only, revision_of
from bouted.store.session import Store
from bouted.store.urls import shown, sqlite_path, sqlite_url

__all__ = ["Store", "check_left_log", "check_store", "open_store", "sqlite_url"]


def open_store(url: str) -> Store:
    """The store behind `url`, at this bouted's schema.

    An empty database is filled and an older one upgraded (an SQLite file after a backup beside it); the
    folder of an SQLite file is made. Misconfigured, with a hint, for a damaged, foreign or newer database;
    Retryable while another process holds it locked.
    """
    engine = make_engine(url)
    try:
        _make_folder(url)
        _look_first(url)
        if _revision(engine) != SCHEMA_REVISION:
            # Alembic is loaded only when there is something to upgrade.
            from bouted.store.upgrade import upgrade

            upgrade(url)
    except (DBAPIError, sqlite3.Error) as cause:
        engine.dispose()
        raise refuse.unusable(url, cause.orig or cause if isinstance(cause, DBAPIError) else cause) from cause
    except BaseException:
        engine.dispose()
        raise
    return Store(engine=engine, url=url)


def _look_first(url: str) -> None:
    """Refuses a file that is not ours while it is still as it was: the first connection sets up its log."""
    path = sqlite_path(url)
    if path is not None and is_there(path, url):
        with read_only(path, url) as connection:
            revision_of(connection, url)


def check_store(url: str) -> None:
    """Checks that the store can be used, without writing: nothing for a sound, older or missing one.

    Misconfigured, with a hint, for a damaged, foreign or newer one. An SQLite file is read whole.
    """
    path = sqlite_path(url)
    if path is None:
        with reading_server(url) as server:
            server_revision(server, url)
    elif is_there(path, url):
        with read_only(path, url) as connection:
            revision_of(connection, url)
            verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise refuse.unusable(url, sqlite3.DatabaseError(f"malformed: {verdict}"))


def check_left_log(url: str) -> None:
    """Checks an SQLite file whose log was left behind: whoever wrote last did not end well, perhaps with the
    power. Misconfigured, naming the backup to restore, when the file is damaged."""
    path = sqlite_path(url)
    if path is None:
        return
    log = path.with_name(path.name + "-wal")
    if is_there(log, url) and log.stat().st_size:
        check_store(url)


def _revision(engine: Engine) -> str | None:
    """The schema's revision; None when there is none yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return revision


def _make_folder(url: str) -> None:
    path = sqlite_path(url)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        hint = "check state_dir and who may write there"
        raise Misconfigured(shown(url), f"its folder cannot be made: {cause.strerror}", hint=hint) from cause
