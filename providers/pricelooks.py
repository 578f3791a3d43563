"""A price table cut into looks: what it says of each time, per cloud. Pure."""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bouted.errors import SourceBroken
from bouted.market.quotes import Answer, Unread

from .answering import Gathered
from .cells import Wrong, moment
from .pricecsv import check_header, read_price_rows
from .pricedates import DatedFile
from .pricetable import Line, Table
from .skycsv import looks_like_sky, read_sky_rows

SNAPSHOT = "snapshot_utc"
CLOUD = "cloud"
CLOUDS = (  # SkyPilot's names
    *("aws", "azure", "cudo", "do", "fluidstack", "gcp", "hyperbolic", "ibm", "lambda", "mithril", "nebius"),
    *("oci", "paperspace", "primeintellect", "runpod", "scp", "seeweb", "shadeform", "vast", "verda"),
    *("vsphere", "yotta"),
)

Series = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Rows of one time. The newest of a `series` is its state; `cloud` is "" in bouted's own schema."""

    at: datetime
    series: Series
    cloud: str
    table: Table
    lines: tuple[Line, ...]

    def read(self, source: str, now: datetime) -> Answer:
        """What the rows say, seen at the time of the look but not after `now`."""
        if not self.cloud:
            at = min(self.at, now)
            return read_price_rows(self.table, self.lines, source=source, undated_at=at, now=now)
        rows = (dict(zip(self.table.columns, line.cells, strict=True)) for line in self.lines)
        return read_sky_rows(rows, cloud=self.cloud, source=source, observed_at=min(self.at, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The looks of one table, in order of time, and the rows that belong to none."""

    looks: tuple[Look, ...]
    unread: tuple[Unread, ...]


def cut(table: Table, file: DatedFile, *, source: str, cloud: str) -> Cut:
    """The looks in a table; SourceBroken when it is no price table.

    `cloud` is that of a table in SkyPilot's schema without a column for it; where it is "", the file's folder
    or name tells it.
    """
    sky = looks_like_sky(table.columns)
    if not sky:
        check_header(table)
    told = (cloud or _cloud_in(file.path)) if sky and CLOUD not in table.columns else ""
    if sky and not told and CLOUD not in table.columns:
        hint = "add a column cloud, or the option cloud, or name the file like gcp.csv"
        raise SourceBroken(f"{table.file}: of which cloud?", hint=hint)
    groups: dict[tuple[datetime, Series, str], list[Line]] = defaultdict(list)
    wrong = Gathered(source)
    for line in table.lines:
        try:
            groups[_place(table, line, file, told, sky)].append(line)
        except Wrong as error:
            wrong.refuse(table.named(line), f"line {line.number}: {error}")
    looks = (
        Look(at=at, series=series, cloud=of, table=table, lines=tuple(lines))
        for (at, series, of), lines in groups.items()
    )
    return Cut(looks=tuple(sorted(looks, key=lambda look: look.at)), unread=wrong.answer().unread)


def _place(table: Table, line: Line, file: DatedFile, told: str, sky: bool) -> tuple[datetime, Series, str]:
    """When and of which cloud a row is. A column of times puts it in one series with other files' rows."""
    dated = SNAPSHOT in table.columns
    if (sky or dated) and len(line.cells) != len(table.columns):
        raise Wrong(f"{len(line.cells)} cells under {len(table.columns)} columns")
    cloud = told
    if sky and not told:
        cloud = line.cells[table.columns.index(CLOUD)]
        if not cloud:
            raise Wrong("no cloud")
    if not dated:
        return file.at, (file.series, cloud), cloud
    return moment(line.cells[table.columns.index(SNAPSHOT)], SNAPSHOT), ("", cloud), cloud


def _cloud_in(path: Path) -> str:
    """The cloud that a file's name, or else its folder's, holds as a word."""
    for name in (path.name, path.parent.name):
        words = [word for word in re.split("[^a-z0-9]+", name.lower()) if word in CLOUDS]
        if words:
            return words[0]
    return ""
