"""Opens a cloud's bill, packed or not, and tells whose it is by its columns."""

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from bouted.errors import Misconfigured
from bouted.ledger import aws_bill, gcp_bill
from bouted.ledger.bill_rows import Row
from bouted.ledger.bills import BillLine

_HOW = "export AWS CUR 2.0 as CSV with resource ids, or Google's detailed billing export as JSON lines"


@contextmanager
def bill_lines(file: Path, usd_per: Mapping[str, Decimal]) -> Iterator[Iterator[BillLine]]:
    """The lines of a bill about instances, read as they are taken. Misconfigured for what is no bill, here or
    at the line that cannot be read."""
    try:
        with _opened(file) as text:
            yield _lines(file, text, usd_per)
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise Misconfigured(str(file), f"cannot be read: {why}", hint=_HOW) from error
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise Misconfigured(str(file), f"is not a CSV or JSON file: {error}", hint=_HOW) from error


def _opened(file: Path) -> TextIO:
    with file.open("rb") as raw:
        magic = raw.read(4)
    if magic == b"PAR1":
        raise Misconfigured(str(file), "is Parquet, which is not read", hint="export it as CSV")
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _lines(file: Path, text: TextIO, usd_per: Mapping[str, Decimal]) -> Iterator[BillLine]:
    start = text.readline()
    if start.lstrip()[:1] in ("{", "["):
        return gcp_bill.lines(_known(file, _from_json(file, start, text), gcp_bill.ALWAYS), usd_per)
    header = next(csv.reader([start]), [])
    if aws_bill.is_cur([aws_bill.column(name) for name in header]):
        rows = _from_csv(file, header, text, aws_bill.column)
        return aws_bill.lines(_known(file, rows, aws_bill.NEEDED), usd_per)
    if gcp_bill.is_export([name.replace(".", "_") for name in header]):
        rows = _from_csv(file, header, text, lambda name: name.replace(".", "_"))
        return gcp_bill.lines(_known(file, rows, gcp_bill.NEEDED), usd_per)
    raise Misconfigured(str(file), "is neither an AWS nor a Google bill", hint=_HOW)


def _from_csv(file: Path, header: list[str], text: TextIO, named: Callable[[str], str]) -> Iterator[Row]:
    names = [named(name) for name in header]
    for number, cells in enumerate(csv.reader(text), start=2):
        if len(cells) != len(names):
            raise Row(file=str(file), number=number, cells={}).refused(
                f"has {len(cells)} columns, the header {len(names)}"
            )
        yield Row(file=str(file), number=number, cells=dict(zip(names, cells, strict=True)))


def _from_json(file: Path, start: str, text: TextIO) -> Iterator[Row]:
    """One object a line, or all of them in one list."""
    if start.lstrip().startswith("["):
        found: Iterable[tuple[int, Any]] = enumerate(json.loads(start + text.read(), parse_float=Decimal), 1)
    else:
        found = enumerate(map(_object, chain([start], (line for line in text if line.strip()))), 1)
    for number, cells in found:
        if not isinstance(cells, dict):
            raise Row(file=str(file), number=number, cells={}).refused("is not a JSON object")
        yield Row(file=str(file), number=number, cells=dict(gcp_bill.flat(cells)))


def _object(line: str) -> Any:
    try:
        return json.loads(line, parse_float=Decimal)
    except ValueError:
        return None


def _known(file: Path, rows: Iterator[Row], needed: tuple[str, ...]) -> Iterator[Row]:
    """The rows; refused where the first lacks a column that is needed."""
    first = next(rows, None)
    if first is None:
        return
    if missing := [name for name in needed if name not in first.cells]:
        raise Misconfigured(str(file), f"has no column {', '.join(missing)}", hint=_HOW)
    yield first
    yield from rows
