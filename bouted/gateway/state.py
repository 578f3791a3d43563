"""The routes a gateway follows: read again when the file changes, kept when it breaks."""

import asyncio
import logging
from pathlib import Path

from bouted.errors import BoutedError
from bouted.gateway.publish import read_table
from bouted.gateway.table import RouteTable
from bouted.quality.scorer import Scorer

log = logging.getLogger(__name__)

POLL_S = 0.2
TABLE_FILE = "routes.json"


class RouteState:
    """The last good route table in `state_dir`, and the scorer it names; each None before there is one."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir
        self._path = state_dir / TABLE_FILE
        self._stamp: tuple[int, int, int] | None = None
        self._scorer_stamp: tuple[str, tuple[int, int, int] | None] = ("", None)
        self.table: RouteTable | None = None
        self.scorer: Scorer | None = None

    def refresh(self) -> None:
        """Read what changed. Whatever is wrong with it is said once, and the last good table stands."""
        stamp = _stamp(self._path)
        if stamp is not None and stamp != self._stamp:
            self._stamp = stamp
            self._read_table()
        if self.table is not None and self.table.split.judges:
            self._read_scorer(self.table.scorer_file)

    async def follow(self) -> None:
        """Refresh five times a second, for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                self.refresh()
            except Exception:
                log.exception("cannot follow %s", self._path)

    def _read_table(self) -> None:
        try:
            self.table = read_table(self._path)
        except BoutedError as error:
            log.error("%s; the last good routes stand", error)

    def _read_scorer(self, name: str) -> None:
        path = self._folder / Path(name).name
        stamp = (name, _stamp(path))
        if stamp == self._scorer_stamp:
            return
        self._scorer_stamp = stamp
        try:
            self.scorer = Scorer.load(path)
        except BoutedError as error:
            self.scorer = None
            log.error("%s; until it can be read, queries go to the most able model", error)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
