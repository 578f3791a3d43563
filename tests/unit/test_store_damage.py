"""Half-written files after the power went, full disks, locks: told in one line with what to do, and nothing
that was committed is lost."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import event

from bouted.errors import BoutedError, Misconfigured, Retryable
from bouted.reconcile.states import NodeStatus, ReplicaStatus
from bouted.store import backup
from bouted.store.actions import begin_action, list_actions
from bouted.store.backup import back_up, restore
from bouted.store.fleet import add_node, load_fleet
from bouted.store.kinds import ActionState
from bouted.store.names import SCHEMA_REVISION
from bouted.store.open import check_left_log, check_store, open_store, sqlite_url
from bouted.store.session import Store
from bouted.testing.fleet import START, an_offer, planned
from bouted.testing.passes import Passes, passes_over
from bouted.testing.store import a_node, fresh_store

WANTED = planned(an_offer(), 2, small=1)


def killed(folder: Path, nodes: int = 40) -> Path:
    """A database as a daemon leaves it whose machine lost power: intents in the file and in its log."""
    store = fresh_store(folder)
    for number in range(nodes):
        add_node(store, a_node(f"t-{number:02}", slot=f"s{number}"))
        if number == nodes // 2:
            with store.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    after = folder / "after"
    after.mkdir()
    for name in ("bouted.db", "bouted.db-wal"):
        shutil.copy(folder / name, after / name)
    store.close()
    return after / "bouted.db"


def zero_page(file: Path) -> None:
    """A page that never reached the disk."""
    with closing(sqlite3.connect(file)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'nodes'").fetchone()[0]
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        kept = file.with_name("kept-wal")
        shutil.copy(file.with_name("bouted.db-wal"), kept)
    with file.open("r+b") as opened:
        opened.seek((root - 1) * 4096)
        opened.write(bytes(4096))
    kept.replace(file.with_name("bouted.db-wal"))
    with file.with_name("bouted.db-wal").open("r+b") as log:
        log.truncate(4096)


def cut_short(file: Path) -> None:
    """The end of the file never reached the disk."""
    log = file.with_name("bouted.db-wal")
    with log.open("r+b") as opened:
        opened.truncate(100)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2 + 1000)


DAMAGE = [pytest.param(zero_page, id="a zeroed page"), pytest.param(cut_short, id="cut short")]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_before_the_daemon_acts_on_it(damage: Callable[[Path], None], tmp_path: Path) -> None:
    file = killed(tmp_path)
    damage(file)
    before = file.read_bytes()
    with pytest.raises(Misconfigured) as refused:
        check_left_log(sqlite_url(file.parent))
    assert "restore a backup with `bouted restore FILE`" in refused.value.hint
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_names_the_newest_backup_and_that_brings_the_intents_back(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    file = killed(tmp_path)
    url = sqlite_url(file.parent)
    with closing(open_store(url)) as store:
        fleet = load_fleet(store, START)
    for age_s, name in ((7200, "0004"), (3600, "daily")):
        backup = file.with_name(f"bouted.db.{name}.backup")
        back_up(url, backup)
        stamp = backup.stat().st_mtime - age_s
        os.utime(backup, (stamp, stamp))
    (tmp_path / "more").mkdir()
    damaged = killed(tmp_path / "more")
    for name in ("bouted.db", "bouted.db-wal"):
        shutil.copy(damaged.with_name(name), file.with_name(name))
    damage(file)
    with pytest.raises(Misconfigured) as refused:
        check_left_log(url)
    assert refused.value.hint == f"the file is damaged: bouted restore {file}.daily.backup"
    aside = restore(url, file.with_name("bouted.db.daily.backup"), START)
    assert aside is not None
    assert aside.exists()
    with closing(open_store(url)) as store:
        assert load_fleet(store, START) == fleet


def test_a_log_cut_in_the_middle_loses_no_commit_before_the_cut(tmp_path: Path) -> None:
    file = killed(tmp_path)
    log = file.with_name("bouted.db-wal")
    with log.open("r+b") as opened:
        opened.truncate(log.stat().st_size - 3000)
    check_left_log(sqlite_url(file.parent))
    with closing(open_store(sqlite_url(file.parent))) as store:
        assert len(load_fleet(store, START).nodes) == 39, "all but the last, whose commit was cut"


def test_garbage_after_the_end_of_the_log_is_ignored(tmp_path: Path) -> None:
    file = killed(tmp_path)
    with file.with_name("bouted.db-wal").open("ab") as log:
        log.write(b"\xa5" * 9000)
    check_left_log(sqlite_url(file.parent))
    with closing(open_store(sqlite_url(file.parent))) as store:
        assert len(load_fleet(store, START).nodes) == 40


def test_a_file_from_the_future_names_the_backup_made_before_the_upgrade(tmp_path: Path) -> None:
    fresh_store(tmp_path).close()
    file = tmp_path / "bouted.db"
    back_up(sqlite_url(tmp_path), tmp_path / f"bouted.db.{SCHEMA_REVISION}.backup")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Misconfigured) as refused:
        open_store(sqlite_url(tmp_path))
    expected = f"install the newer bouted, or: bouted restore {file}.{SCHEMA_REVISION}.backup"
    assert refused.value.hint == expected


def test_damage_met_while_running_is_one_error_with_a_hint(tmp_path: Path) -> None:
    file = killed(tmp_path)
    zero_page(file)
    with closing(open_store(sqlite_url(file.parent))) as store, pytest.raises(Misconfigured) as refused:
        load_fleet(store, START)
    assert "malformed" in refused.value.message
    assert "bouted restore" in refused.value.hint


# backups


def test_a_backup_is_made_while_the_daemon_writes_and_is_whole(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    passes = passes_over(fresh_store(tmp_path), tmp_path / "live")
    passes.want("p1", WANTED)
    asyncio.run(passes.go(12))
    with passes.store.writing() as session:
        assert session is not None
        back_up(passes.store.url, tmp_path / "copy")
    check_store(f"sqlite:///{tmp_path / 'copy'}")
    with closing(open_store(f"sqlite:///{tmp_path / 'copy'}")) as copy:
        assert load_fleet(copy, START) == load_fleet(passes.store, START)


def test_what_was_launched_after_the_backup_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    passes = passes_over(fresh_store(tmp_path), tmp_path / "live")
    passes.want("p1", WANTED)
    back_up(passes.store.url, tmp_path / "copy")
    asyncio.run(passes.go(12))
    launched = sorted(passes.launches())
    passes.store.close()
    restore(passes.store.url, tmp_path / "copy", START)
    with closing(open_store(passes.store.url)) as store:
        again = passes_over(store, tmp_path / "live", cloud=passes.cloud)
        last = asyncio.run(again.go(12))
    assert sorted(node.name for node in last.fleet.nodes) == launched
    assert [node.status for node in last.fleet.nodes] == [NodeStatus.UP] * 2
    assert len(passes.cloud.nodes("test")) == 2, "nothing was rented twice"


STEPS = {"os.link", "os.remove", "os.rename"}


def restored_until_step(url: str, source: Path, step: int) -> int:
    """Restores in a child that dies, as by kill -9, just before its next step on files; its exit code."""
    pid = os.fork()
    if pid == 0:
        left = count(step, -1)

        def dies(name: str, _arguments: object) -> None:
            if name in STEPS and next(left) == 0:
                os._exit(9)

        sys.addaudithook(dies)
        try:
            restore(url, source, START)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def names(url: str) -> list[str]:
    """The nodes that a daemon finds which starts now."""
    check_left_log(url)
    with closing(open_store(url)) as store:
        return sorted(node.name for node in load_fleet(store, START).nodes)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_whoever_dies_while_restoring_leaves_the_old_store_whole_or_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "backed").mkdir()
    with closing(fresh_store(tmp_path / "backed")) as store:
        add_node(store, a_node("kept"))
        back_up(store.url, tmp_path / "copy")
    left = killed(tmp_path).parent
    found: list[list[str]] = []
    for step in count():
        folder = shutil.copytree(left, tmp_path / f"dies at {step}")
        url = sqlite_url(folder)
        code = restored_until_step(url, tmp_path / "copy", step)
        assert code in (0, 9)
        assert (folder / "bouted.db").exists(), "a daemon must never find none"
        found.append(names(url))
        restore(url, tmp_path / "copy", START + timedelta(hours=1))
        assert names(url) == ["kept"], "what was interrupted can be done again"
        if code == 0:
            break
    old, new = [f"t-{number:02}" for number in range(40)], ["kept"]
    assert all(state in (old, new) for state in found), [len(state) for state in found]
    assert (found[0], found[-1]) == (old, new)


def test_a_restore_keeps_the_store_that_stood_there_with_what_was_in_its_log(tmp_path: Path) -> None:
    file = killed(tmp_path)
    with closing(fresh_store(tmp_path)) as store:
        back_up(store.url, tmp_path / "copy")
    aside = restore(sqlite_url(file.parent), tmp_path / "copy", START)
    assert aside is not None
    restore(sqlite_url(file.parent), aside, START + timedelta(hours=1))
    assert len(names(sqlite_url(file.parent))) == 40


def test_a_log_that_was_left_without_its_store_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    file = killed(tmp_path)
    with closing(fresh_store(tmp_path)) as store:
        add_node(store, a_node("kept"))
        back_up(store.url, tmp_path / "copy")
    file.unlink()
    assert restore(sqlite_url(file.parent), tmp_path / "copy", START) is None
    assert names(sqlite_url(file.parent)) == ["kept"]


def test_a_store_that_somebody_reads_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "LOCK_S", 0.05)
    file = killed(tmp_path)
    with closing(fresh_store(tmp_path)) as store:
        back_up(store.url, tmp_path / "copy")
    with closing(sqlite3.connect(file)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM nodes").fetchone()
        with closing(sqlite3.connect(file)) as writer, writer:
            writer.execute("UPDATE nodes SET note = 'later'")
        with pytest.raises(Retryable, match="locked"):
            restore(sqlite_url(file.parent), tmp_path / "copy", START)
    assert len(names(sqlite_url(file.parent))) == 40
    assert not list(file.parent.glob("*restor*"))


@pytest.mark.parametrize("write", ["text", "none", "future"])
def test_what_is_no_backup_of_ours_is_refused_and_changes_nothing(write: str, tmp_path: Path) -> None:
    fresh_store(tmp_path).close()
    before = (tmp_path / "bouted.db").read_bytes()
    source = tmp_path / "backup"
    if write == "text":
        source.write_text("dear diary\n" * 500)
    elif write == "future":
        back_up(sqlite_url(tmp_path), source)
        with closing(sqlite3.connect(source)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Misconfigured) as refused:
        restore(sqlite_url(tmp_path), source, START)
    assert refused.value.hint
    assert (tmp_path / "bouted.db").read_bytes() == before
    assert not list(tmp_path.glob("*restor*"))


def test_a_store_on_a_server_is_backed_up_by_its_own_tools(tmp_path: Path) -> None:
    url = "postgresql://me:secret@db/bouted"
    with pytest.raises(Misconfigured) as refused:
        back_up(url, tmp_path / "copy")
    assert refused.value.hint == (
        f"back it up with: pg_dump --format=custom --file={tmp_path / 'copy'} 'postgresql://me:***@db/bouted'"
    )
    with pytest.raises(Misconfigured, match="database server"):
        restore(url, tmp_path / "copy", START)


# no room, no lock


@contextmanager
def no_more_pages(store: Store) -> Iterator[None]:
    """Every connection finds the database as large as it may become."""
    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]

    def limited(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}").close()

    def freed(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 1000000").close()

    event.listen(store.engine, "checkout", limited)
    try:
        yield
    finally:
        event.remove(store.engine, "checkout", limited)
        event.listen(store.engine, "checkout", freed)


def until_full(store: Store) -> BoutedError:
    """The error of the first intent for which there is no room."""
    try:
        for number in range(5000):
            begin_action(store, "p" * 400, "launch", f"n-{number}", START)
    except BoutedError as refused:
        return refused
    raise AssertionError("there was always room")


def test_without_room_nothing_is_launched_that_no_row_intends_and_with_room_all_goes_on(
    tmp_path: Path,
) -> None:
    (tmp_path / "live").mkdir()
    passes = passes_over(fresh_store(tmp_path), tmp_path / "live")
    passes.want("p1", WANTED)
    with no_more_pages(passes.store):
        error = until_full(passes.store)
        assert isinstance(error, Retryable)
        assert error.message == f"{tmp_path / 'bouted.db'}: the disk is full"
        assert error.hint == f"free space at {tmp_path}; what runs goes on"
        for _ in range(3):
            with suppress(Retryable):
                asyncio.run(passes.go(1))
        intended = {node.name for node in load_fleet(passes.store, START).nodes}
        assert set(passes.launches()) <= intended, "no money without an intent"
    last = asyncio.run(passes.go(14))
    assert [replica.status for replica in last.fleet.replicas] == [ReplicaStatus.READY] * 2
    assert len(passes.launches()) == 2


def test_a_real_disk_that_fills_in_the_middle_loses_no_intent(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        store = fresh_store(small)
        begin_action(store, "p", "launch", "the-first", START)
        ballast = small / "ballast"
        room = os.statvfs(small)
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize))
        error = until_full(store)
        assert isinstance(error, Retryable), error
        assert error.hint == f"free space at {small}; what runs goes on"
        written = len(list_actions(store, 10_000))
        ballast.unlink()
        begin_action(store, "p", "launch", "the-last", START + timedelta(seconds=1))
        actions = list_actions(store, 10_000)
        assert len(actions) == written + 1
        assert (actions[0].subject, actions[-1].subject) == ("the-last", "the-first")
        assert {action.state for action in actions} == {ActionState.INTENT}
        store.close()
        check_store(sqlite_url(small))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_lock_that_another_holds_is_waited_for_and_nothing_is_launched(tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    passes: Passes = passes_over(fresh_store(tmp_path), tmp_path / "live")
    passes.want("p1", WANTED)
    with closing(sqlite3.connect(tmp_path / "bouted.db", isolation_level=None)) as other:
        with passes.store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE").close()
        with pytest.raises(Retryable, match="locked"):
            asyncio.run(passes.go(1))
        assert passes.launches() == []
        other.execute("ROLLBACK").close()
    last = asyncio.run(passes.go(14))
    assert [replica.status for replica in last.fleet.replicas] == [ReplicaStatus.READY] * 2
