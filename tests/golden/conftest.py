"""Texts that people read, kept as files beside the tests: a change of wording shows up in review."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with the file of that name; UPDATE_GOLDEN=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        file = HERE / f"{name}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            file.write_text(text + "\n", encoding="utf-8")
        assert text + "\n" == file.read_text(encoding="utf-8"), (
            f"{file.name} differs: UPDATE_GOLDEN=1 rewrites"
        )

    return compare
