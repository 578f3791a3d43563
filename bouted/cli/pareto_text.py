"""`bouted pareto` in a terminal: the front as a scatter of characters, then as rows. Pure."""

from collections.abc import Sequence

from bouted.cli.columns import columns, cut
from bouted.cli.pareto_points import Front, Point
from bouted.cli.ticks import ticks
from bouted.cli.units import seconds, usd

PLOT_WIDTH, PLOT_HEIGHT = 78, 18
MOST_ROWS = 24
CHOSEN, INCUMBENT = "@", "#"
# From low to high quality, in thirds of what the front spans.
MARKS = ".oO"


def pareto_text(front: Front) -> list[str]:
    """The whole text, at most 100 columns wide."""
    plan = front.plan
    head = [f"front of plan {plan.id}: {len(front.points)} designs, chosen by rule {front.rule}"]
    parts = (head, _plot(front), _legend(front), _rows(front))
    return "\n\n".join("\n".join(part) for part in parts).splitlines()


def mark(point: Point, front: Front) -> str:
    """The character of a point."""
    if point.chosen or point.incumbent:
        return CHOSEN if point.chosen else INCUMBENT
    lows = [item.quality_low for item in front.points]
    low, width = min(lows), max(lows) - min(lows)
    third = int((point.quality_low - low) / width * len(MARKS)) if width > 0 else len(MARKS) - 1
    return MARKS[min(third, len(MARKS) - 1)]


def _plot(front: Front) -> list[str]:
    xs = [float(point.usd_per_hour) for point in front.points]
    ys = [point.p95_s.value for point in front.points]
    across, up = ticks(min(xs), max(xs), 6), ticks(min(ys), max(ys), 5)
    grid = [[" "] * PLOT_WIDTH for _ in range(PLOT_HEIGHT)]
    for point in sorted(front.points, key=lambda item: (item.chosen, item.incumbent)):
        column = _place(float(point.usd_per_hour), across[0], across[-1], PLOT_WIDTH)
        row = PLOT_HEIGHT - 1 - _place(point.p95_s.value, up[0], up[-1], PLOT_HEIGHT)
        grid[row][column] = mark(point, front)
    labels = {PLOT_HEIGHT - 1 - _place(at, up[0], up[-1], PLOT_HEIGHT): seconds(at) for at in up}
    width = max(len(label) for label in labels.values())
    lines = [f"p95 {front.metric}"]
    for row, cells in enumerate(grid):
        label = labels.get(row, "").rjust(width)
        lines.append(f"{label} {'+' if row in labels else '|'}{''.join(cells)}".rstrip())
    return [*lines, *_axis(across, width + 1)]


def _axis(across: Sequence[float], indent: int) -> list[str]:
    line, labels = ["-"] * PLOT_WIDTH, [" "] * (PLOT_WIDTH + 8)
    for at in across:
        column = _place(at, across[0], across[-1], PLOT_WIDTH)
        line[column] = "+"
        text = usd(at) if at % 1 else f"${at:,.0f}"
        start = max(0, column - len(text) // 2)
        labels[start : start + len(text)] = text
    return [f"{' ' * indent}+{''.join(line)}", f"{' ' * indent} {''.join(labels).rstrip()} /h"]


def _place(value: float, low: float, high: float, cells: int) -> int:
    return round((value - low) / (high - low) * (cells - 1))


def _legend(front: Front) -> list[str]:
    lows = [point.quality_low for point in front.points]
    quality = f"quality (low end) {min(lows):.3f} {' '.join(MARKS)} {max(lows):.3f}"
    running = f", {INCUMBENT} in force then" if any(point.incumbent for point in front.points) else ""
    return [f"{CHOSEN} chosen{running}; {quality}, floor {front.quality_min:.3f}"]


def _rows(front: Front) -> list[str]:
    shown = _shown(front.points)
    rows = [("", "$/H", f"P95 {front.metric.upper()}", "RANGE", "QUALITY", "LOW END", "FLEET")]
    for point in shown:
        p95 = point.p95_s
        span = f"{seconds(p95.low, like=p95.value)} to {seconds(p95.high, like=p95.value)}"
        what = point.fleet if point.fits else f"{point.fleet} (misses a target)"
        quality = (f"{point.quality:.3f}", f"{point.quality_low:.3f}")
        rows.append((mark(point, front), usd(point.usd_per_hour), seconds(p95.value), span, *quality, what))
    lines = [cut(line) for line in columns(rows, right=frozenset({1, 2}))]
    left = len(front.points) - len(shown)
    return [*lines, f"and {left} more: --json or --html has all"] if left else lines


def _shown(points: Sequence[Point]) -> list[Point]:
    """Evenly over the front, the ends and the marked ones always."""
    if len(points) <= MOST_ROWS:
        return list(points)
    kept = {round(i * (len(points) - 1) / (MOST_ROWS - 3)) for i in range(MOST_ROWS - 2)}
    return [point for i, point in enumerate(points) if i in kept or point.chosen or point.incumbent]
