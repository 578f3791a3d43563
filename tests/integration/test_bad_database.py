"""A database that cannot be used stops every command with one line and a hint, and stays as it was."""

import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from bouted.testing.deployment import Deployment
from bouted.testing.store import fresh_store


def corrupt(file: Path) -> None:
    fresh_store(file.parent).close()
    file.write_bytes(b"\xff" * 64 + file.read_bytes()[64:])


def future(file: Path) -> None:
    fresh_store(file.parent).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def answer(
    folder: Path, spoil: Callable[[Path], None], command: str
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """What one command says in a deployment of its own, and the database that it left alone."""
    folder.mkdir()
    deployment = Deployment(folder)
    deployment.write_config()
    deployment.state_dir.mkdir()
    file = deployment.state_dir / "bouted.db"
    spoil(file)
    before = file.read_bytes()
    done = deployment.cli(command)
    assert file.read_bytes() == before
    assert not list(deployment.state_dir.glob("*.backup*"))
    return file, done


@pytest.mark.parametrize(
    ("spoil", "says", "hint"),
    [(corrupt, "file is not a database", "damaged"), (future, "revision 9999", "newer bouted")],
    ids=["corrupt", "future"],
)
def test_a_bad_database_is_one_error_and_a_hint_and_stays_as_it_is(
    spoil: Callable[[Path], None], says: str, hint: str, tmp_path: Path
) -> None:
    commands = ("status", "run", "plan")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda name: answer(tmp_path / name, spoil, name), commands))
    for command, (file, done) in zip(commands, answers, strict=True):
        assert (done.returncode, done.stdout) == (1, ""), command
        error, advice = done.stderr.splitlines()
        assert error.startswith(f"error: {file}: "), command
        assert says in error
        assert advice.startswith("hint: ")
        assert hint in advice
