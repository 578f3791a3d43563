"""Brings a database to this bouted's schema: atomically, one process at a time, after a backup."""

import sqlite3
from contextlib import closing, suppress
from importlib.resources import files
from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from bouted.errors import Misconfigured
from bouted.store import refuse
from bouted.store.engine import WRITES, make_engine
from bouted.store.urls import shown, sqlite_path

_ONE_AT_A_TIME = Lock()  # Alembic keeps the connection it works on in a global of its own
_UPGRADE_LOCK = 0x626F75746564
"""Key of the PostgreSQL advisory lock held while a schema is upgraded."""


def scripts_folder() -> Path:
    """Where the migrations are installed."""
    return Path(str(files("bouted.migrations")))


def alembic_config(scripts: Path, connection: Connection | None = None) -> Config:
    """Alembic's settings for these migrations, run over `connection`."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(url: str, scripts: Path | None = None) -> None:
    """Upgrades the database to the newest of `scripts` (by default those installed), or changes nothing.

    A database without tables is filled. An older SQLite file is first copied to
    `<file>.<revision>.backup`. Misconfigured for a revision that is not known here, or for a database
    that is not bouted's. Two processes may call this at once, and two threads.
    """
    config = alembic_config(scripts or scripts_folder())
    directory = ScriptDirectory.from_config(config)
    engine = make_engine(url, migrating=True).execution_options(**{WRITES: True})
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
            current = _known_revision(connection, url, directory)
            if current == directory.get_current_head():
                return
            if current is not None:
                _back_up(url, current)
            config.attributes["connection"] = connection
            with _ONE_AT_A_TIME:
                command.upgrade(config, "head")
            _require_sound_keys(connection, url)
        _let_shrink(engine)
    finally:
        engine.dispose()


def _known_revision(connection: Connection, url: str, directory: ScriptDirectory) -> str | None:
    """The database's revision, None when it has no tables."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        if inspect(connection).get_table_names():
            hint = "give bouted a database of its own"
            raise Misconfigured(shown(url), "the database holds other tables", hint=hint)
        return None
    if current not in {script.revision for script in directory.walk_revisions()}:
        raise refuse.future(url, current)
    return current


def _back_up(url: str, revision: str) -> None:
    """Copies an SQLite file, log included, beside itself; the copy appears whole or not at all."""
    path = sqlite_path(url)
    if path is None:
        return
    backup = path.with_name(f"{path.name}.{revision}.backup")
    partial = backup.with_name(backup.name + ".partial")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    partial.replace(backup)


def _let_shrink(engine: Engine) -> None:
    """Older SQLite files never gave space back; new ones do, in small steps. Without room to copy the file it
    stays as it is."""
    if engine.dialect.name != "sqlite":
        return
    with suppress(sqlite3.OperationalError), engine.connect() as connection:
        connection.rollback()
        raw = connection.connection.dbapi_connection
        if raw is not None and raw.execute("PRAGMA auto_vacuum").fetchone()[0] == 0:
            raw.execute("PRAGMA auto_vacuum = INCREMENTAL")
            raw.execute("VACUUM")


def _require_sound_keys(connection: Connection, url: str) -> None:
    """SQLite did not enforce foreign keys during the upgrade, so they are checked before it is kept."""
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        hint = "nothing was changed; please report this"
        raise Misconfigured(shown(url), f"the upgrade would break rows of {broken[0]}", hint=hint)
