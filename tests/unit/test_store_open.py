"""The store opens with its settings on, says in one line why it cannot, and then has changed nothing."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from bouted.errors import Misconfigured, Retryable
from bouted.store.engine import make_engine
from bouted.store.names import SCHEMA_REVISION
from bouted.store.open import check_store, open_store, sqlite_url
from bouted.store.read_board import read_status
from bouted.store.tables import Base
from bouted.store.urls import shown, sqlite_path
from bouted.testing.store import fresh_store

NOBODY = 65534

READERS: tuple[Callable[[str], object], ...] = (open_store, check_store, read_status)
"""Every way in: each must refuse a bad database."""


def write_future(file: Path) -> None:
    """A database of a newer bouted, as one that was shut down leaves it."""
    fresh_store(file.parent).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def write_future_without_log(file: Path) -> None:
    """The same in SQLite's older journal mode, which opening it must not change either."""
    write_future(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").close()


def write_foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


def write_text(file: Path) -> None:
    file.write_text("dear diary, today I learned about databases\n" * 100)


def write_broken_header(file: Path) -> None:
    fresh_store(file.parent).close()
    file.write_bytes(b"\xff" * 64 + file.read_bytes()[64:])


def write_broken_schema(file: Path) -> None:
    """The header is sound, the first page behind it is not."""
    fresh_store(file.parent).close()
    body = file.read_bytes()
    file.write_bytes(body[:100] + b"\xa5" * 3996 + body[4096:])


def write_directory(file: Path) -> None:
    file.mkdir()


def write_looping_link(file: Path) -> None:
    file.symlink_to(file)


BAD = [
    pytest.param(write_future, "revision 9999", id="a newer bouted's"),
    pytest.param(write_future_without_log, "revision 9999", id="a newer bouted's, no log"),
    pytest.param(write_foreign, "no such table: alembic_version", id="another program's"),
    pytest.param(write_text, "not a database", id="a text file"),
    pytest.param(write_broken_header, "not a database", id="a broken header"),
    pytest.param(write_broken_schema, "malformed", id="a broken page"),
    pytest.param(write_directory, "is a folder", id="a directory"),
]


def content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def refusal(call: Callable[[str], object], file: Path) -> Misconfigured:
    with pytest.raises(Misconfigured) as refused:
        call(f"sqlite:///{file}")
    return refused.value


# what opens


def test_a_missing_database_is_made_with_its_folder_and_every_table(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    with closing(open_store(sqlite_url(folder))) as store:
        tables = set(inspect(store.engine).get_table_names())
    assert tables == {*Base.metadata.tables, "alembic_version"}
    assert not list(folder.glob("*.backup")), "there was nothing to back up"


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / "bouted.db").touch()
    open_store(sqlite_url(tmp_path)).close()
    check_store(sqlite_url(tmp_path))


def test_every_connection_has_its_settings_on(tmp_path: Path) -> None:
    with closing(fresh_store(tmp_path)) as store:
        for _ in range(2):
            with store.engine.connect() as one, store.engine.connect() as two:
                for connection in (one, two):
                    on = {
                        name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                        for name in (
                            "journal_mode",
                            "foreign_keys",
                            "busy_timeout",
                            "synchronous",
                            "auto_vacuum",
                        )
                    }
                    assert on == {
                        "journal_mode": "wal",
                        "foreign_keys": 1,
                        "busy_timeout": 5000,
                        "synchronous": 2,
                        "auto_vacuum": 2,
                    }


def test_checking_makes_nothing(tmp_path: Path) -> None:
    check_store(sqlite_url(tmp_path))
    assert list(tmp_path.iterdir()) == []


# what is refused


@pytest.mark.parametrize("call", READERS)
@pytest.mark.parametrize(("write", "says"), BAD)
def test_a_bad_database_is_refused_in_one_line_with_a_hint_and_left_as_it_is(
    write: Callable[[Path], None], says: str, call: Callable[[str], object], tmp_path: Path
) -> None:
    file = tmp_path / "bouted.db"
    write(file)
    before = content(file)
    error = refusal(call, file)
    assert error.message.startswith(f"{file}: ")
    assert says in error.message
    assert "\n" not in error.message
    assert error.hint
    assert "\n" not in error.hint
    assert content(file) == before
    assert not list(tmp_path.glob("*.backup*"))


@pytest.mark.parametrize("call", [open_store])
def test_a_link_to_itself_is_refused(call: Callable[[str], object], tmp_path: Path) -> None:
    file = tmp_path / "bouted.db"
    write_looping_link(file)
    assert "unable to open" in refusal(call, file).message


def test_a_newer_database_is_told_both_revisions(tmp_path: Path) -> None:
    file = tmp_path / "bouted.db"
    write_future(file)
    error = refusal(open_store, file)
    expected = f"database is at revision 9999, this bouted knows up to {SCHEMA_REVISION}"
    assert error.message == f"{file}: {expected}"
    assert "newer bouted" in error.hint


def test_a_check_finds_damage_that_opening_does_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "bouted.db"
    fresh_store(tmp_path).close()
    body = file.read_bytes()
    file.write_bytes(body[:-4096] + b"\xa5" * 4096)
    assert "malformed" in refusal(check_store, file).message


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that an ordinary user can reach, seen as that user: root may read everything."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0
    (folder / "state").mkdir()
    fresh_store(folder / "state").close()
    (folder / "bouted.db").write_bytes((folder / "state" / "bouted.db").read_bytes())
    (folder / "bouted.db").chmod(0o000)
    (folder / "closed").mkdir(mode=0o000)
    if root:
        os.seteuid(NOBODY)
    else:
        folder.chmod(0o555)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("call", READERS)
def test_a_file_that_may_not_be_read_is_refused(call: Callable[[str], object], as_nobody: Path) -> None:
    error = refusal(call, as_nobody / "bouted.db")
    assert "unable to open" in error.message
    assert "who may write" in error.hint


@pytest.mark.parametrize("call", READERS)
def test_a_folder_that_may_not_be_looked_into_is_refused(
    call: Callable[[str], object], as_nobody: Path
) -> None:
    error = refusal(call, as_nobody / "closed" / "bouted.db")
    assert "cannot be reached: Permission denied" in error.message
    assert error.hint


def test_a_folder_that_may_not_be_made_is_refused(as_nobody: Path) -> None:
    error = refusal(open_store, as_nobody / "new" / "bouted.db")
    assert "cannot be made: Permission denied" in error.message
    assert error.hint


def test_a_folder_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    assert "cannot be made" in refusal(open_store, tmp_path / "state" / "bouted.db").message


def test_a_database_locked_by_another_is_worth_another_try(tmp_path: Path) -> None:
    with closing(fresh_store(tmp_path)) as store, closing(sqlite3.connect(tmp_path / "bouted.db")) as other:
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE").close()
        with pytest.raises(Retryable, match="database is locked"), store.writing() as session:
            session.execute(text("SELECT 1"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bouted.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+nothing:///x",
        "mysterydb://x/y",
    ],
)
def test_a_url_that_cannot_work_is_refused_with_how_to_spell_it(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        make_engine(url)
    assert "sqlite:////folder/bouted.db" in refused.value.hint


def test_a_password_is_not_shown() -> None:
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


@pytest.mark.parametrize("name", ["plain", "50%", "a?b", "a#b", "a b", "%41", "naïve"])
def test_a_folder_of_any_name_comes_back_from_its_url(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    assert sqlite_path(sqlite_url(folder)) == folder / "bouted.db"
    open_store(sqlite_url(folder)).close()
    assert (folder / "bouted.db").exists()
    assert read_status(sqlite_url(folder)).board is None


# several at once

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from bouted.events import Event, EventKind, Severity
from bouted.store.control import update_control
from bouted.store.events import add_events
from bouted.store.open import open_store, sqlite_url
from bouted.store.upgrade import upgrade
name, *folders = sys.argv[1:]
print("here", flush=True)
sys.stdin.readline()
for folder in folders:
    store = open_store(sqlite_url(Path(folder)))
    for turn in range(30):
        now = datetime.now(UTC)
        update_control(store, now, name, paused=bool(turn % 2))
        told = Event(at=now, kind=EventKind.PAUSED, severity=Severity.INFO, subject=name, message=str(turn))
        add_events(store, [told])
    store.close()
"""


def test_two_processes_may_make_and_write_one_database_at_once(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(2)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name, *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        said = [writer.communicate(timeout=60)[1] for writer in writers]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert said == ["", ""]
    assert [writer.returncode for writer in writers] == [0, 0]
    for folder in folders:
        with closing(sqlite3.connect(folder / "bouted.db")) as connection:
            told = connection.execute(
                "SELECT subject, count(*) FROM events GROUP BY subject ORDER BY subject"
            )
            assert told.fetchall() == [("one", 30), ("two", 30)]


def test_threads_that_make_stores_at_once_do_not_meet(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        for store in pool.map(lambda folder: open_store(sqlite_url(folder)), folders):
            store.close()
    for folder in folders:
        check_store(sqlite_url(folder))


def test_a_database_that_is_locked_while_its_log_is_turned_on_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "bouted.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("PRAGMA journal_mode = DELETE").close()
    holder.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.2, lambda: holder.execute("COMMIT"))
    release.start()
    try:
        open_store(sqlite_url(tmp_path)).close()
    finally:
        release.join()
        holder.close()
