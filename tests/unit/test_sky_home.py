"""The folder that SkyPilot lives in is as the options of now say, and for nobody else's eyes."""

import os
import re
from pathlib import Path

import pytest
import yaml
from bouted.providers.sky_home import SkyHome


@pytest.fixture
def home(tmp_path: Path) -> SkyHome:
    return SkyHome(folder=tmp_path / "sky" / "home", port=1)


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / "user" / ".aws").mkdir(parents=True)
    return tmp_path / "user"


def test_settings_become_skypilots_config_and_emptied_ones_leave_none(home: SkyHome, user: Path) -> None:
    config = home.folder / ".sky" / "config.yaml"
    for settings in ({"allowed_clouds": ["aws"]}, {"aws": {"vpc_name": "llm"}}):
        home.prepare(settings, user)
        assert yaml.safe_load(config.read_text()) == settings
    home.prepare({}, user)
    assert not config.exists()


def test_what_is_there_already_is_not_written_again(home: SkyHome, user: Path) -> None:
    home.prepare({"allowed_clouds": ["aws"]}, user)
    assert home.user
    files = [home.folder / ".sky" / name for name in ("config.yaml", "user_hash")]
    before = [file.stat().st_ino for file in files]
    home.prepare({"allowed_clouds": ["aws"]}, user)
    assert [file.stat().st_ino for file in files] == before


def test_credentials_that_come_later_are_linked_and_those_of_another_place_give_way(
    home: SkyHome, user: Path, tmp_path: Path
) -> None:
    home.prepare({}, user)
    (user / ".config" / "gcloud").mkdir(parents=True)
    home.prepare({}, user)
    assert (home.folder / ".config" / "gcloud").readlink() == user / ".config" / "gcloud"
    other = tmp_path / "other"
    (other / ".aws").mkdir(parents=True)
    home.prepare({}, other)
    assert (home.folder / ".aws").readlink() == other / ".aws"
    assert not (home.folder / ".config" / "gcloud").is_symlink()


def test_what_somebody_put_into_the_folder_stays(home: SkyHome, user: Path) -> None:
    (home.folder / ".aws").mkdir(parents=True)
    (home.folder / ".aws" / "credentials").touch()
    home.prepare({}, user)
    assert (home.folder / ".aws" / "credentials").exists()


def test_nobody_else_can_look_into_it_not_even_where_it_was_there_before(home: SkyHome, user: Path) -> None:
    (home.folder / ".sky").mkdir(parents=True)
    for folder in (home.folder, home.folder / ".sky"):
        folder.chmod(0o755)
    home.prepare({}, user)
    assert {path.stat().st_mode & 0o777 for path in (home.folder, home.folder / ".sky")} == {0o700}


def test_it_is_the_own_one_of_the_user_whose_folder_it_is(
    home: SkyHome, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not home.is_own
    home.prepare({}, user)
    assert home.is_own
    monkeypatch.setattr(os, "geteuid", lambda: home.folder.stat().st_uid + 1)
    assert not home.is_own


def test_skypilots_user_is_drawn_once_and_is_another_in_another_folder(home: SkyHome, tmp_path: Path) -> None:
    drawn = home.user
    assert re.fullmatch("[0-9a-f]{8}", drawn)
    assert SkyHome(folder=home.folder, port=2).user == drawn
    assert home.environment()["SKYPILOT_USER_ID"] == drawn
    assert SkyHome(folder=tmp_path / "other", port=1).user != drawn


def test_a_folder_of_before_keeps_its_user(home: SkyHome, user: Path) -> None:
    (home.folder / ".sky").mkdir(parents=True)
    (home.folder / ".sky" / "user_hash").write_text("01234567")
    home.prepare({}, user)
    assert home.user == "01234567"
