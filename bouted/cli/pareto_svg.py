"""The front as an SVG picture: $/h to the right, P95 up, stronger for better quality, ranges thin."""

from dataclasses import dataclass
from html import escape

from bouted.cli.pareto_points import Front, Point
from bouted.cli.ticks import ticks
from bouted.cli.units import seconds, usd

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 24, 60
# Steps of quality, low to high: classes q0..q4 in the page's style.
STEPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    """Round numbers along both axes; the outer ones are the edges."""

    across: tuple[float, ...]
    up: tuple[float, ...]

    def x(self, usd_per_hour: float) -> float:
        share = (usd_per_hour - self.across[0]) / (self.across[-1] - self.across[0])
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, p95_s: float) -> float:
        share = (p95_s - self.up[0]) / (self.up[-1] - self.up[0])
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def pareto_svg(front: Front) -> str:
    """The picture, to be put into a page that styles its classes."""
    axes = _axes(front)
    order = sorted(front.points, key=lambda point: (point.chosen, point.incumbent))
    parts = [*_grid(axes), *_names(front), *_limits(front, axes)]
    parts += [_ranges(point, axes) for point in order]
    parts += [_mark(point, front, axes) for point in order]
    parts += [_label(point, axes) for point in order if point.chosen or point.incumbent]
    title = f"{len(front.points)} designs: dollars an hour against p95 {front.metric}"
    inside = "\n".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="front-title">\n'
        f'<title id="front-title">{escape(title)}; the table below has the same figures</title>\n'
        f"{inside}\n</svg>"
    )


def step_of(point: Point, front: Front) -> int:
    """Which of the steps of quality a point is on, 0 the lowest."""
    lows = [item.quality_low for item in front.points]
    width = max(lows) - min(lows)
    return min(STEPS - 1, int((point.quality_low - min(lows)) / width * STEPS)) if width > 0 else STEPS - 1


def _axes(front: Front) -> _Axes:
    xs = [value for point in front.points for value in (point.usd.low, point.usd.high)]
    ys = [value for point in front.points for value in (point.p95_s.low, point.p95_s.high)]
    return _Axes(
        across=tuple(ticks(min(xs), max(xs), 7)),
        up=tuple(ticks(max(0.0, min(ys)), max(ys), 6)),
    )


def _grid(axes: _Axes) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    lines = []
    for at in axes.across:
        x, told = axes.x(at), usd(at) if at % 1 else f"${at:,.0f}"
        lines.append(f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        lines.append(f'<text class="tick" x="{x}" y="{bottom + 20}" text-anchor="middle">{told}</text>')
    for at in axes.up:
        y = axes.y(at)
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        lines.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{seconds(at)}</text>')
    return lines


def _names(front: Front) -> list[str]:
    middle, half = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text class="axis" x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">$ an hour</text>',
        f'<text class="axis" transform="translate(18 {half}) rotate(-90)" text-anchor="middle">'
        f"p95 {front.metric}</text>",
    ]


def _limits(front: Front, axes: _Axes) -> list[str]:
    """The target and the budget, where they lie within the picture."""
    lines = []
    if front.target_s is not None and axes.up[0] <= front.target_s <= axes.up[-1]:
        y = axes.y(front.target_s)
        lines.append(f'<line class="limit" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        told = f"target {seconds(front.target_s)}"
        lines.append(
            f'<text class="limit-name" x="{WIDTH - RIGHT - 4}" y="{y - 6}" text-anchor="end">{told}</text>'
        )
    budget = float(front.budget_usd_per_hour)
    if axes.across[0] <= budget <= axes.across[-1]:
        x = axes.x(budget)
        lines.append(f'<line class="limit" x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}"/>')
        lines.append(f'<text class="limit-name" x="{x - 4}" y="{TOP + 12}" text-anchor="end">budget</text>')
    return lines


def _ranges(point: Point, axes: _Axes) -> str:
    x, y = axes.x(float(point.usd_per_hour)), axes.y(point.p95_s.value)
    kind = "range chosen" if point.chosen else "range"
    high, low = axes.y(point.p95_s.high), axes.y(max(point.p95_s.low, axes.up[0]))
    lines = f'<line class="{kind}" x1="{x}" y1="{high}" x2="{x}" y2="{low}"/>'
    if point.usd.high > point.usd.low:
        left, right = axes.x(point.usd.low), axes.x(point.usd.high)
        lines += f'<line class="{kind}" x1="{left}" y1="{y}" x2="{right}" y2="{y}"/>'
    return lines


def _mark(point: Point, front: Front, axes: _Axes) -> str:
    x, y = axes.x(float(point.usd_per_hour)), axes.y(point.p95_s.value)
    kind = f"point q{step_of(point, front)}"
    told = (
        f"{usd(point.usd_per_hour)}/h, p95 {front.metric} {seconds(point.p95_s.value)},"
        f" quality {point.quality:.3f} (low end {point.quality_low:.3f}): {point.fleet}"
    )
    title = f"<title>{escape(told)}</title>"
    if point.incumbent and not point.chosen:
        return f'<rect class="{kind} marked" x="{x - 6}" y="{y - 6}" width="12" height="12">{title}</rect>'
    size, extra = (8, " marked") if point.chosen else (5, "")
    return f'<circle class="{kind}{extra}" cx="{x}" cy="{y}" r="{size}">{title}</circle>'


def _label(point: Point, axes: _Axes) -> str:
    x, y = axes.x(float(point.usd_per_hour)), axes.y(point.p95_s.value)
    told = "chosen" if point.chosen else "in force then"
    told = "held" if point.chosen and point.incumbent else told
    late = x > WIDTH - RIGHT - 110
    at, anchor = (x - 13, "end") if late else (x + 13, "start")
    return f'<text class="name" x="{at}" y="{y - 9}" text-anchor="{anchor}">{told}</text>'
