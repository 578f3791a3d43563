"""Plain tables: columns as wide as what they hold, two spaces between, no lines drawn."""

from collections.abc import Sequence
from textwrap import wrap

WIDTH = 100


def columns(
    rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset(), indent: str = ""
) -> list[str]:
    """Rows as aligned lines of at most WIDTH characters. Columns in `right` are set to the right.

    What does not fit is cut at the end of the line, marked `...`.
    """
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(cut(indent + "  ".join(cells).rstrip()))
    return lines


def cut(line: str, width: int = WIDTH) -> str:
    """`line`, or its start and `...` when it is longer than `width`."""
    return line if len(line) <= width else line[: width - 3] + "..."


def fields(head: str, parts: Sequence[str], *, width: int = WIDTH) -> list[str]:
    """`head`, then parts two spaces apart; where a line is full they go on below, under the first part."""
    lines = [head]
    for part in parts:
        if len(lines[-1]) + 2 + len(part) > width and lines[-1].strip():
            lines.append(" " * len(head))
        lines[-1] += "  " + part
    return lines


def paragraph(label: str, text: str, *, width: int = WIDTH) -> list[str]:
    """`LABEL  text`, wrapped at words, going on under the text."""
    return wrap(f"{label}  {text}", width, subsequent_indent=" " * (len(label) + 2)) or [label]
