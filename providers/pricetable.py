"""A price table on disk, CSV (.csv, .csv.gz) or Parquet (.parquet), as rows of text."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from bouted.errors import SourceBroken

from .answering import shown

if TYPE_CHECKING:
    import pyarrow

ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class Line:
    """A row: where it stands in its file, and its cells, stripped. `cells` may be too many or too few."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A header, on line `header_line`, and the rows below it."""

    file: str
    columns: tuple[str, ...]
    header_line: int
    lines: tuple[Line, ...]

    def named(self, line: Line) -> tuple[tuple[str, str], ...]:
        """The cells with their columns' names, fit to be shown; those in excess are numbered."""
        names = (*self.columns, *(f"column {n}" for n in range(len(self.columns) + 1, len(line.cells) + 1)))
        return tuple((name, shown(cell)) for name, cell in zip(names, line.cells, strict=False))


def read_table(path: Path) -> Table:
    """The table at `path`; SourceBroken naming file and line when there is none."""
    try:
        if path.name.endswith(".parquet"):
            return _parquet(path)
        body = path.read_bytes()
        if path.name.endswith(".gz"):
            body = gzip.decompress(body)
        return parse_csv(body.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SourceBroken(f"{path}:{line}: not UTF-8 text", hint="save it as plain CSV") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceBroken(f"{path}: not gzip: {error}", hint="write the file again") from error
    except OSError as error:
        told = " ".join((error.strerror or str(error)).split())
        raise SourceBroken(f"{path}: {told}", hint="check prices.sources") from error


def parse_csv(text: str, file: str) -> Table:
    """The table in `text`, without blank rows and comments; SourceBroken if it is none."""
    reader = csv.reader(StringIO(text.removeprefix("\ufeff")), strict=True)
    lines: list[Line] = []
    try:
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped) and not stripped[0].startswith("#"):
                lines.append(Line(reader.line_num, stripped))
    except csv.Error as error:
        at = f"{file}:{reader.line_num}"
        raise SourceBroken(f"{at}: not CSV: {error}", hint="save it as plain CSV") from error
    if not lines:
        raise SourceBroken(f"{file}:1: the file is empty", hint="the first row names the columns")
    header = lines.pop(0)
    return _table(file, header.cells, header.number, tuple(lines))


def _parquet(path: Path) -> Table:
    import pyarrow.lib
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        columns = [list(_texts(column)) for column in table.columns]
    except (pyarrow.lib.ArrowException, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())[:200]
        raise SourceBroken(f"{path}: not Parquet: {told}", hint="write the file again") from error
    rows = zip(*columns, strict=True)
    lines = tuple(Line(number, tuple(cells)) for number, cells in enumerate(rows, start=1))
    return _table(str(path), tuple(table.column_names), 0, lines)


def _texts(column: "pyarrow.ChunkedArray") -> Iterator[str]:
    """Each value as it is written; nothing for null. Arrow writes a number in the fewest digits."""
    import pyarrow

    try:
        values = column.cast(pyarrow.string()).to_pylist()
    except pyarrow.ArrowNotImplementedError:  # a list, a struct: of no use here, but to be shown
        values = column.to_pylist()
    return ("" if value is None else str(value).strip() for value in values)


def _table(file: str, columns: tuple[str, ...], line: int, lines: tuple[Line, ...]) -> Table:
    if len(set(columns)) != len(columns):
        raise SourceBroken(f"{file}:{line}: the header has a column twice", hint="name each column once")
    return Table(file=file, columns=tuple(map(shown, columns)), header_line=line, lines=lines)
