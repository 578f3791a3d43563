"""Edits of the config and of the evals are noticed, also when a file is replaced or another is named."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bouted.daemon.watching import watch_files


def heard(paths: Callable[[], tuple[Path, ...]], edits: Callable[["Ear"], Awaitable[None]]) -> int:
    """How many bursts of edits were noticed while `edits` made them."""

    async def run() -> int:
        stop, ear = asyncio.Event(), Ear()
        watching = asyncio.create_task(watch_files(paths, ear.note, stop))
        try:
            await edits(ear)
        finally:
            stop.set()
            await watching
        return ear.bursts

    return asyncio.run(run())


class Ear:
    """Counts what it is told; `after` makes an edit again and again until it is told of one."""

    def __init__(self) -> None:
        self.bursts = 0
        self._told = asyncio.Event()

    def note(self) -> None:
        self.bursts += 1
        self._told.set()

    async def after(self, edit: Callable[[], object]) -> None:
        """The watch may not have begun when the first edit is made."""
        self._told.clear()
        async with asyncio.timeout(10):
            while not self._told.is_set():
                edit()
                await wait_for(self._told, 1.0)


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def replaced(path: Path) -> None:
    """As editors save: a new file takes the old one's name."""
    fresh = path.with_suffix(".new")
    fresh.write_text("x")
    fresh.replace(path)


@pytest.mark.parametrize("edit", [lambda path: path.write_text("x"), replaced], ids=["written", "replaced"])
def test_an_edit_of_any_file_is_noticed(edit: Callable[[Path], object], tmp_path: Path) -> None:
    config, evals = tmp_path / "bouted.yaml", tmp_path / "data" / "evals.jsonl"
    evals.parent.mkdir()

    async def edits(ear: Ear) -> None:
        await ear.after(lambda: edit(config))
        await ear.after(lambda: edit(evals))

    assert heard(lambda: (config, evals), edits) >= 2


def test_a_file_that_comes_to_be_named_is_watched_from_then_on(tmp_path: Path) -> None:
    config, evals = tmp_path / "bouted.yaml", tmp_path / "data" / "evals.jsonl"
    evals.parent.mkdir()
    named = [config]

    async def edits(ear: Ear) -> None:
        await ear.after(lambda: config.write_text("x"))
        named.append(evals)
        await ear.after(lambda: evals.write_text("y"))

    assert heard(lambda: tuple(named), edits) >= 2
