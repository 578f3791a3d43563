"""The price catalog that SkyPilot keeps on this machine: a cross-check, hours old."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bouted.errors import NotConfigured, SourceFailed
from bouted.market.diagnosis import Diagnosis, not_set_up
from bouted.market.offers import Confidence
from bouted.market.quotes import Answer, Unread

from .answering import Gathered
from .pricetable import Table, read_table
from .skycsv import looks_like_sky, read_sky_rows
from .source_options import Options

HOME = "SKY_RUNTIME_DIR"  # SkyPilot's own variable for where .sky lies; the home folder where it is not set
FOLDER = Path(".sky/catalogs/v8")
OLD = timedelta(days=7)
HINT = "SkyPilot makes it when first asked for prices: run `sky gpus list` once"


class SkyCatalogPrices:
    """The quotes in SkyPilot's own files, one `CLOUD/vms.csv` per cloud; rank 1. SkyPilot is not loaded.

    The files do not say when their prices were read. They count as seen now; those written over a week ago
    are little trusted (SkyPilot offline may touch an old file, so a young one proves nothing).
    """

    name = "sky-catalog"
    rank = 1

    def __init__(self, folder: Path, *, clouds: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._clouds = clouds

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "SkyCatalogPrices":
        """A source as a config names it: `folder` (SkyPilot's own by default), `clouds` (all by default)."""
        given = Options(cls.name, options)
        folder = given.file("folder", config_dir)
        clouds = given.texts("clouds", ())
        given.close()
        return cls(folder or Path(os.environ.get(HOME) or Path.home()).expanduser() / FOLDER, clouds=clouds)

    def fetch(self, now: datetime) -> Answer:
        """The quotes of every cloud; NotConfigured where SkyPilot has not made its catalog."""
        gathered = Gathered(self.name)
        failed: list[SourceFailed] = []
        files = self._files()
        for cloud, path in files.items():
            try:
                gathered.take(self._read(cloud, path, now))
            except SourceFailed as error:
                failed.append(error)
        answer = gathered.answer(tuple(error.message for error in failed))
        if failed and not (answer.quotes or answer.unread):
            raise failed[0]
        if not (answer.quotes or answer.unread):
            raise SourceFailed(
                f"{self._folder}: no price of a GPU in it", hint="delete it and run `sky gpus list`"
            )
        return answer

    def diagnose(self, now: datetime) -> Diagnosis:
        """Whether the files are there and can be read."""
        try:
            answer = self.fetch(now)
        except NotConfigured as error:
            return not_set_up(error)
        except SourceFailed as error:
            return Diagnosis(credential="not needed", reachable=False, problem=error.message, hint=error.hint)
        return Diagnosis(credential="not needed", reachable=True, problem="; ".join(answer.gaps))

    def _files(self) -> dict[str, Path]:
        if not self._folder.is_dir():
            raise NotConfigured(f"{self._folder}: no catalog there", hint=HINT)
        if self._clouds:
            return {cloud: self._folder / cloud / "vms.csv" for cloud in self._clouds}
        found = {path.parent.name: path for path in sorted(self._folder.glob("*/vms.csv"))}
        if not found:
            raise NotConfigured(f"{self._folder}: no CLOUD/vms.csv in it", hint=HINT)
        return found

    def _read(self, cloud: str, path: Path, now: datetime) -> Answer:
        table = read_table(path)
        if not looks_like_sky(table.columns):
            raise SourceFailed(f"{path}: not in the schema that SkyPilot's catalog has", hint=HINT)
        confidence = Confidence.LOW if now - _written_at(path) > OLD else Confidence.MEDIUM
        width = len(table.columns)
        rows = (
            dict(zip(table.columns, one.cells, strict=True)) for one in table.lines if len(one.cells) == width
        )
        answer = read_sky_rows(rows, cloud=cloud, source=self.name, observed_at=now, confidence=confidence)
        return Answer(quotes=answer.quotes, unread=(*answer.unread, *_torn(table, self.name)))


def _torn(table: Table, source: str) -> tuple[Unread, ...]:
    """The rows with more or fewer cells than columns."""
    width = len(table.columns)
    return tuple(
        Unread(source=source, row=table.named(line), reason=f"{len(line.cells)} cells under {width} columns")
        for line in table.lines
        if len(line.cells) != width
    )


def _written_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise SourceFailed(f"{path}: {error.strerror}") from error
