"""The paper's table as a picture: P95 over ours, cell by cell, beside what the paper reports."""

from pathlib import Path

from planner_paper_gains import Table
from planner_paper_published import CELLS, P95_S, Method

COLOURS = {
    Method.ALONE: "#9aa0a6",
    Method.ALONE_MIXED: "#c0a16b",
    Method.ROUTED: "#7fb0d8",
    Method.HOMOGENEOUS: "#5b8c5a",
    Method.FIXED: "#b58fc2",
    Method.PAPER: "#d98c6a",
}
WIDE, HIGH, LEFT, TOP, BAR = 1080, 380, 56, 64, 11
HIGHEST = 6.0
TITLE = "P95 over ours at $30/h; black lines: over BOute's, as the paper reports"


def draw(table: Table, path: Path) -> None:
    """Write the picture. Bars are P95 as a multiple of ours; a line across one is the paper's multiple of
    its own method's."""
    ours = table[Method.OURS]
    step = (WIDE - LEFT - 16) / len(CELLS)
    parts = [_axis(multiple) for multiple in range(int(HIGHEST) + 1)]
    for at, (name, floor) in enumerate(CELLS):
        left = LEFT + at * step
        parts.append(_text(left + step / 2, HIGH - 12, f"{name} {floor:g}", "middle"))
        for n, method in enumerate(COLOURS):
            seconds, mine = table[method][at], ours[at]
            if seconds is None or mine is None:
                continue
            x = left + 14 + n * (BAR + 9)
            parts.append(_bar(x, seconds / mine, COLOURS[method]))
            parts.append(_paper(x, method, at))
    parts += [
        f'<rect x="{LEFT + n * 168}" y="14" width="11" height="11" fill="{colour}"/>'
        + _text(LEFT + n * 168 + 16, 24, method.value, "start")
        for n, (method, colour) in enumerate(COLOURS.items())
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-family="sans-serif"'
        f' font-size="11">\n<rect width="{WIDE}" height="{HIGH}" fill="white"/>\n'
        f"{_text(LEFT, 46, TITLE, 'start')}\n{body}\n</svg>\n",
        encoding="utf-8",
    )


def _y(multiple: float) -> float:
    return HIGH - 34 - (HIGH - 34 - TOP) * min(multiple, HIGHEST) / HIGHEST


def _axis(multiple: int) -> str:
    y = _y(multiple)
    line = f'<line x1="{LEFT}" x2="{WIDE - 12}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e3e3"/>'
    return line + _text(LEFT - 8, y + 4, f"{multiple}x", "end")


def _bar(x: float, multiple: float, colour: str) -> str:
    y, bottom = _y(multiple), _y(0)
    bar = f'<rect x="{x:.1f}" y="{y:.1f}" width="{BAR}" height="{bottom - y:.1f}" fill="{colour}"/>'
    return bar + _text(x + BAR / 2, y - 3, f"{multiple:.1f}", "middle")


def _paper(x: float, method: Method, at: int) -> str:
    theirs, base = P95_S.get(method, (None,) * len(CELLS))[at], P95_S[Method.PAPER][at]
    if theirs is None or base is None:
        return ""
    y = _y(theirs / base)
    return f'<line x1="{x - 3:.1f}" x2="{x + BAR + 3:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="black"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{text}</text>'
