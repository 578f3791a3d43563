"""The next release takes over a running fleet from this store, and so does a backup: nothing is launched."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bouted.board import Board
from bouted.store.names import SCHEMA_REVISION
from bouted.store.open import sqlite_url
from bouted.testing.deployment import Deployment, is_serving
from bouted.testing.revisions import at_revision

PREVIOUS = f"{int(SCHEMA_REVISION) - 1:04}"
"""The schema of the release before."""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    made.write_config()
    yield made
    made.close()


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def running(board: Board) -> list[tuple[str, str, int | None]]:
    return sorted((replica.name, replica.node, replica.pid) for replica in board.replicas)


@pytest.mark.timeout(300)
def test_a_running_fleet_is_taken_over_across_a_schema_and_from_a_backup(deployment: Deployment) -> None:
    daemon = deployment.start("run")
    before = running(deployment.until_serving())
    backup, file = deployment.folder / "backup", deployment.state_dir / "bouted.db"
    made = deployment.cli("backup", str(backup))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"backed up to {backup} (")
    refused = deployment.cli("restore", str(backup))
    assert refused.returncode != 0
    assert f"another bouted (pid {daemon.pid}) runs on" in refused.stderr

    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    at_revision(sqlite_url(deployment.state_dir), PREVIOUS, up=False)
    assert revision(file) == PREVIOUS
    daemon = deployment.start("run")
    board = deployment.until(
        lambda board: board.pid == daemon.pid and is_serving(board), "the next release serves"
    )
    assert running(board) == before
    assert revision(file) == SCHEMA_REVISION
    assert file.with_name(f"bouted.db.{PREVIOUS}.backup").is_file()

    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    restored = deployment.cli("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    assert list(deployment.state_dir.glob("bouted.db.before-restore-*"))
    daemon = deployment.start("run")
    board = deployment.until(
        lambda board: board.pid == daemon.pid and is_serving(board), "the restored store serves"
    )
    assert running(board) == before
