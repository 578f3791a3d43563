"""Which price files stand for which time: one file, a glob or a folder of dated ones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import glob, has_magic
from pathlib import Path

from bouted.errors import SourceBroken

from .pricetable import ENDINGS

# 2026-04-02, 20260402T161742Z, 2026-04-02T16:17 and their like, anywhere in a path.
_DATE = re.compile(
    r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?:[T_-](\d\d)[:-]?(\d\d)(?:[:-]?(\d\d))?Z?)?(?!\d)", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedFile:
    """A file and the time it stands for. Files of one `series` follow each other: alike but for the date.

    `by_name`: the date is in the name; otherwise it is when the file was last written, but not after now.
    """

    path: Path
    at: datetime
    series: str
    by_name: bool


def dated_files(path: Path, now: datetime) -> tuple[DatedFile, ...]:
    """The price files at `path`, in order of time; SourceBroken when there are none."""
    found = tuple(_dated(file, path, now) for file in _files(path))
    if not found:
        hint = f"it needs files that end in {', '.join(ENDINGS)}"
        raise SourceBroken(f"{path}: no price file there", hint=hint)
    return tuple(sorted(found, key=lambda file: (file.at, str(file.path))))


def date_in(text: str) -> datetime | None:
    """The last date in a name, in UTC."""
    for match in reversed(list(_DATE.finditer(text))):
        try:
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            continue
    return None


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        candidates = sorted(path.rglob("*"))
    elif has_magic(str(path)) and not path.exists():
        candidates = sorted(map(Path, glob(str(path), recursive=True)))
    else:
        yield path
        return
    for file in candidates:
        if file.name.endswith(ENDINGS) and not file.name.startswith(".") and file.is_file():
            yield file


def _dated(file: Path, base: Path, now: datetime) -> DatedFile:
    name = str(file.relative_to(base)) if base in file.parents else file.name
    at = date_in(name)
    return DatedFile(
        path=file,
        at=at or min(_written_at(file), now),
        series=_DATE.sub("", name),
        by_name=at is not None,
    )


def _written_at(file: Path) -> datetime:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise SourceBroken(f"{file}: {error.strerror}", hint="check prices.sources") from error
