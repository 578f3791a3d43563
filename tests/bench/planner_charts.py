"""Charts as SVG, without a library: lines or dots with a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 900, 460, 70, 50, 40, 280
COLOURS = (
    "#c0392b", "#2c3e50", "#2980b9", "#27ae60", "#8e44ad", "#d35400", "#16a085", "#7f8c8d", "#f39c12",
)  # fmt: skip
TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series; `joined` draws a line through its points, else dots."""

    name: str
    points: tuple[tuple[float, float], ...]
    joined: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Where values lie on the page."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / max(self.x[1] - self.x[0], 1e-12)
        up = (y - self.y[0]) / max(self.y[1] - self.y[0], 1e-12)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)


def line_chart(path: Path, title: str, x_label: str, y_label: str, lines: Sequence[Line]) -> None:
    """Write the chart; one without any point is only its frame."""
    points = [point for line in lines for point in line.points] or [(0.0, 0.0), (1.0, 1.0)]
    scale = _Scale(
        x=(min(x for x, _ in points), max(x for x, _ in points)),
        y=(min(0.0, *(y for _, y in points)), max(y for _, y in points)),
    )
    drawn = [_drawn(scale, line, COLOURS[i % len(COLOURS)]) for i, line in enumerate(lines)]
    legend = [_legend(i, line.name, COLOURS[i % len(COLOURS)]) for i, line in enumerate(lines)]
    body = "\n".join([_text(LEFT + 100, 22, title), *_axes(scale, x_label, y_label), *drawn, *legend])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


def _drawn(scale: _Scale, line: Line, colour: str) -> str:
    places = [scale.at(x, y) for x, y in line.points]
    if line.joined:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)


def _axes(scale: _Scale, x_label: str, y_label: str) -> list[str]:
    left, bottom = scale.at(scale.x[0], scale.y[0])
    right, top = scale.at(scale.x[1], scale.y[1])
    parts = [f'<path d="M{left},{top} L{left},{bottom} L{right},{bottom}" fill="none" stroke="black"/>']
    for i in range(TICKS + 1):
        x = scale.x[0] + (scale.x[1] - scale.x[0]) * i / TICKS
        y = scale.y[0] + (scale.y[1] - scale.y[0]) * i / TICKS
        parts.append(_text(scale.at(x, scale.y[0])[0] - 10, bottom + 16, f"{x:.3g}"))
        parts.append(_text(8, scale.at(scale.x[0], y)[1] + 4, f"{y:.3g}"))
    parts.append(_text((left + right) / 2, bottom + 36, x_label))
    parts.append(_text(8, top - 12, y_label))
    return parts


def _legend(row: int, name: str, colour: str) -> str:
    y = TOP + 20 * row
    x = WIDTH - RIGHT + 20
    return f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>' + _text(x + 18, y + 11, name)


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
