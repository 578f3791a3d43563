"""A restart has its name back; a clone of the machine, or of the folder, is somebody else."""

import socket
from pathlib import Path

import pytest

from bouted.daemon import identity

lease_name = identity.lease_name.__wrapped__


def test_a_restart_on_the_same_machine_keeps_its_name(tmp_path: Path) -> None:
    name = lease_name(tmp_path)
    assert lease_name(tmp_path) == name
    (tmp_path / "bouted.db").touch()
    assert lease_name(tmp_path) == name
    assert name.startswith(f"{socket.gethostname()}:{tmp_path}#")


def test_a_machine_with_the_same_names_that_booted_by_itself_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for boot in ("one", "two"):
        (tmp_path / boot).write_text(f"{boot}\n")
        monkeypatch.setattr(identity, "BOOT_ID", tmp_path / boot)
        names.add(lease_name(tmp_path))
    assert len(names) == 2


def test_another_folder_at_the_same_path_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    first = lease_name(folder)
    folder.rename(tmp_path / "moved")
    folder.mkdir()
    assert lease_name(folder) != first


def test_the_name_stays_while_the_process_lives(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    name = identity.lease_name(folder)
    folder.rmdir()
    assert identity.lease_name(folder) == name


def test_where_nothing_tells_machines_apart_there_is_still_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "BOOT_ID", tmp_path / "none")
    assert lease_name(tmp_path / "none").startswith(f"{socket.gethostname()}:{tmp_path / 'none'}#")
