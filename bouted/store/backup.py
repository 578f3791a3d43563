"""Whole copies of an SQLite store, made while a daemon writes, and put back while none does."""

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from bouted.errors import Misconfigured
from bouted.store import refuse
from bouted.store.open import check_store
from bouted.store.urls import quoted, shown, sqlite_path

PAGES_AT_ONCE = 2000  # 8 MB between two chances for a writer
LOCK_S = 5.0  # how long whoever still reads the store is waited for
_BESIDE = ("-wal", "-shm")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR)


def back_up(url: str, target: Path) -> None:
    """Copies the store to `target`, which appears whole or not at all. A daemon may write meanwhile.

    Misconfigured for a store on a server, with the command that copies that, and when `target` cannot be
    written or the store is damaged; Retryable when the disk is full.
    """
    path = _file(url, "back it up with: pg_dump --format=custom --file={file} '{url}'", target)
    partial = target.with_name(target.name + ".partial")
    try:
        copy_whole(path, partial)
        check_store(f"sqlite:///{quoted(partial.absolute())}")
        _synced(partial)
        partial.replace(target)
    except sqlite3.Error as cause:
        raise refuse.unusable(url, cause) from cause
    except OSError as cause:
        hint = "name another folder, or check who may write there"
        raise Misconfigured(str(target), f"cannot be written: {cause.strerror}", hint=hint) from cause
    finally:
        _forgotten(partial)


def restore(url: str, source: Path, now: datetime) -> Path | None:
    """Puts a backup in the store's place; returns where the store that stood there is kept, if any did.

    No daemon may run. Misconfigured, with nothing changed, for a backup that is damaged, not bouted's, or
    of a newer bouted. An older one is upgraded when it is next opened.
    """
    path = _file(url, "restore it with: pg_restore --clean --if-exists --dbname='{url}' {file}", source)
    if not source.is_file():
        raise Misconfigured(str(source), "no such backup", hint=f"those made by bouted: {path}.*.backup")
    check_store(f"sqlite:///{quoted(source.absolute())}")
    arriving = path.with_name(path.name + ".restoring")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _forgotten(arriving)
        copy_whole(source, arriving)
        _synced(arriving)
        aside = _set_aside(path, now)
        arriving.replace(path)
        _synced(path.parent)
        return aside
    except sqlite3.Error as cause:
        raise refuse.unusable(url, cause) from cause
    except OSError as cause:
        hint = "check who may write there, and what room there is"
        raise Misconfigured(str(path), f"cannot be replaced: {cause.strerror}", hint=hint) from cause
    finally:
        _forgotten(arriving)


def copy_whole(source: Path, target: Path) -> None:
    """Copies an SQLite file, log included; sqlite3.Error when that cannot be done."""
    readable = f"file:{quoted(source)}?mode=ro"
    with closing(sqlite3.connect(readable, uri=True)) as one, closing(sqlite3.connect(target)) as two:
        one.backup(two, pages=PAGES_AT_ONCE, sleep=0.0)


def _file(url: str, on_a_server: str, file: Path) -> Path:
    path = sqlite_path(url)
    if path is None:
        hint = on_a_server.format(file=file, url=shown(url))
        raise Misconfigured(shown(url), "is kept by a database server", hint=hint)
    return path


def _set_aside(path: Path, now: datetime) -> Path | None:
    """Keeps the store under another name. It also stays where it is until another takes its place: a daemon
    must never find none.

    Whoever dies amid this leaves it whole: its log is written into it before that goes, and goes before
    another store comes, which it would spoil. A log that is no longer readable is kept beside what is kept.
    """
    was_there = path.exists()
    if was_there:
        _fold_log(path)
    aside = path.with_name(f"{path.name}.before-restore-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    for ending in ("", "-wal"):
        with suppress(FileNotFoundError):
            os.link(path.with_name(path.name + ending), aside.with_name(aside.name + ending))
    for ending in _BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    _synced(path.parent)
    return aside if was_there else None


def _fold_log(path: Path) -> None:
    """Writes the log into the store, unless that is damaged; sqlite3.Error while somebody else uses it."""
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_S)) as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0]
    except sqlite3.Error as cause:
        if cause.sqlite_errorcode & 0xFF not in _DAMAGED:
            raise
        return
    if busy:
        raise sqlite3.OperationalError("database is locked")


def _synced(path: Path) -> None:
    """What a file holds, or which files a folder holds, is on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _forgotten(file: Path) -> None:
    for ending in ("", *_BESIDE):
        file.with_name(file.name + ending).unlink(missing_ok=True)
