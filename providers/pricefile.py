"""Prices from files of your own: contracts, quotes, recorded feeds, anything the other sources get wrong."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from glob import has_magic
from pathlib import Path
from typing import Any

from bouted.errors import Misconfigured, SourceBroken, SourceFailed
from bouted.market.diagnosis import Diagnosis
from bouted.market.quotes import Answer, Unread

from .answering import Gathered
from .pricedates import DatedFile, dated_files
from .pricelooks import SNAPSHOT, Cut, Look, Series, cut
from .pricetable import read_table
from .skycsv import looks_like_sky
from .source_options import PATH, Options


class PriceFile:
    """The quotes in a file, or in the newest of several; read anew each time. Rank 10: they win over others'.

    `path` is a CSV (.csv, .csv.gz) or Parquet file, a folder of such, or a glob. Columns are those of
    `pricecsv`, or SkyPilot's (`skycsv`), whose `cloud` may be given. A time stands in the column
    `snapshot_utc`, else in the file's name, else it is when the file was last written.
    """

    rank = 10

    def __init__(self, path: Path, *, name: str = "", cloud: str = "", hand_kept: bool = True) -> None:
        self.path = path
        self.name = name or f"file:{path.name}"
        self._cloud = cloud
        self._may_be_hand_kept = hand_kept

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "PriceFile":
        """A source as a config names it: `path`, relative to the config's folder; `cloud`, `hand_kept`."""
        given = Options("file", options)
        path = given.file("path", config_dir)
        cloud = given.text("cloud", "")
        hand_kept = given.flag("hand_kept", True)
        given.close()
        if path is None:
            raise Misconfigured(f"{PATH}.file.path", "is missing", hint="{name: file, path: prices.csv}")
        return cls(path, name=f"file:{options['path']}", cloud=cloud, hand_kept=hand_kept)

    @property
    def hand_kept(self) -> bool:
        """Whether a person writes these prices: one file in bouted's own columns, without snapshots.

        Anything else is a recorded feed and judged as one. With the option `hand_kept: false` it always is.
        """
        if not self._may_be_hand_kept or self.path.is_dir() or has_magic(str(self.path)):
            return False
        try:
            columns = read_table(self.path).columns
        except SourceFailed:
            return True
        return not looks_like_sky(columns) and SNAPSHOT not in columns

    def fetch(self, now: datetime) -> Answer:
        """The newest state not after `now`; SourceFailed when there is none or nothing can be read."""
        files = [file for file in dated_files(self.path, now) if file.at <= now]
        newest = {file.series: file for file in files}
        cuts, gaps = self._cut(tuple(newest.values()))
        state: dict[Series, Look] = {}
        for look in sorted((look for one in cuts for look in one.looks), key=lambda look: look.at):
            if look.at <= now:
                state[look.series] = look
        unread = tuple(unread for one in cuts for unread in one.unread)
        answer = self._read(tuple(state.values()), unread, gaps, now)
        if not (answer.quotes or answer.unread):
            raise self._nothing(f" not after {now:%Y-%m-%d %H:%M}" if not state else "")
        return answer

    def feed(self, now: datetime) -> Iterator[tuple[datetime, Answer]]:
        """Every state the files hold, in order of time, each with the clouds that it is about."""
        cuts, gaps = self._cut(dated_files(self.path, now))
        unread = tuple(unread for one in cuts for unread in one.unread)
        by_time: dict[datetime, list[Look]] = defaultdict(list)
        for one in cuts:
            for look in one.looks:
                by_time[look.at].append(look)
        if not by_time and not unread:
            raise self._nothing("")
        for at in sorted(by_time) or [now]:
            yield at, self._read(tuple(by_time[at]), unread, gaps, at)
            unread, gaps = (), ()

    def diagnose(self, now: datetime) -> Diagnosis:
        """Whether the file can be read."""
        try:
            self.fetch(now)
        except SourceFailed as error:
            return Diagnosis(credential="not needed", reachable=False, problem=error.message, hint=error.hint)
        return Diagnosis(credential="not needed", reachable=True)

    def _cut(self, files: tuple[DatedFile, ...]) -> tuple[list[Cut], tuple[str, ...]]:
        """The looks of each file, and the files that cannot be read; raises when none can."""
        cuts: list[Cut] = []
        failed: list[SourceFailed] = []
        for file in files:
            try:
                cuts.append(cut(read_table(file.path), file, source=self.name, cloud=self._cloud))
            except SourceFailed as error:
                failed.append(error)
        if failed and not cuts:
            raise failed[0]
        return cuts, tuple(error.message for error in failed)

    def _read(
        self, looks: tuple[Look, ...], unread: tuple[Unread, ...], gaps: tuple[str, ...], now: datetime
    ) -> Answer:
        gathered = Gathered(self.name)
        gathered.take(Answer(quotes=(), unread=unread))
        for look in sorted(looks, key=lambda look: look.at, reverse=True):
            gathered.take(look.read(self.name, now))
        return gathered.answer(gaps)

    def _nothing(self, when: str) -> SourceBroken:
        return SourceBroken(f"{self.path}: no usable price{when}", hint="one row per offer under the header")


def feed(path: Path, now: datetime, *, cloud: str = "") -> Iterator[tuple[datetime, Answer]]:
    """Every state that the files at `path` hold, in order of time: what a replay judges."""
    return PriceFile(path, cloud=cloud).feed(now)
