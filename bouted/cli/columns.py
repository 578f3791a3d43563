"""Plain tables: columns as wide as what they hold, two spaces between, no lines drawn."""

from collections.abc import Sequence
from textwrap import wrap

WIDTH = 100
_TIE = "\N{NO-BREAK SPACE}"


def columns(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as aligned lines, as long as they need to be; columns in `right` are set to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def cut(line: str, width: int = WIDTH) -> str:
    """`line`, or its start and `...` when it is longer than `width`."""
    return line if len(line) <= width else line[: width - 3] + "..."


def fields(parts: Sequence[str], *, indent: int, width: int = WIDTH) -> list[str]:
    """Parts two spaces apart; where a line is full they go on in the next, indented."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + 2 + len(part) > width:
            lines.append(" " * indent + part)
        else:
            lines[-1] += "  " + part
    return lines


def paragraph(label: str, text: str, *, width: int = WIDTH) -> list[str]:
    """`LABEL  text`, wrapped at words but not inside a `whole`, going on under the text."""
    lines = wrap(f"{label}  {text}", width, subsequent_indent=" " * (len(label) + 2), break_long_words=False)
    return [line.replace(_TIE, " ") for line in lines]


def whole(command: str) -> str:
    """Keeps a command that somebody will copy on one line of a paragraph."""
    return command.replace(" ", _TIE)
