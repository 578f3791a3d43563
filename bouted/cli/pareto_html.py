"""The front as a page that stands alone: one picture, one table, no scripts, nothing fetched. Pure."""

from html import escape

from bouted.cli.pareto_points import Front, Point
from bouted.cli.pareto_svg import STEPS, pareto_svg, step_of
from bouted.cli.units import seconds, usd

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --page: #ffffff;
  --mark: #b3261e; --q0: #c6dbef; --q1: #9ecae1; --q2: #6baed6; --q3: #3182bd; --q4: #08519c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #2c3541; --page: #12171e;
    --mark: #ff8a7a; --q0: #2f4b66; --q1: #3f6d94; --q2: #5b93c2; --q3: #8bbbe0; --q4: #d3e7f7; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
p { margin: .25rem 0 1rem; color: var(--soft); }
svg { width: 100%; height: auto; display: block; }
svg text { font: 13px system-ui, sans-serif; fill: var(--soft); }
svg text.name { fill: var(--ink); font-weight: 600; }
svg text.limit-name { fill: var(--mark); }
.grid { stroke: var(--line); stroke-width: 1; }
.limit { stroke: var(--mark); stroke-width: 1.5; stroke-dasharray: 6 4; }
.range { stroke: var(--soft); stroke-width: 1; opacity: .35; }
.range.chosen { stroke: var(--ink); stroke-width: 2; opacity: .9; }
.point { stroke: var(--page); stroke-width: 1; }
.point.marked { stroke: var(--mark); stroke-width: 3; }
.q0 { fill: var(--q0); } .q1 { fill: var(--q1); } .q2 { fill: var(--q2); } .q3 { fill: var(--q3); }
.q4 { fill: var(--q4); }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1rem; color: var(--soft); font-size: .85rem;
  margin: 0 0 1.5rem; }
.key svg { display: inline; width: .9rem; height: .9rem; vertical-align: -.1rem; margin-right: .3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; white-space: nowrap; }
td:last-child { white-space: normal; min-width: 16rem; }
th.n, td.n { text-align: right; }
tr.marked td { font-weight: 600; }
"""


def pareto_html(front: Front) -> str:
    """The page."""
    plan = front.plan
    limit = "" if front.target_s is None else f", target {seconds(front.target_s)}"
    told = (
        f"Made {plan.created_at:%Y-%m-%d %H:%M} UTC, chosen by rule {front.rule}: {'; '.join(plan.why)}."
        f" Budget {usd(front.budget_usd_per_hour)}/h{limit}, quality floor {front.quality_min:.3f}."
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Front of plan {escape(plan.id)}</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>Front of plan {escape(plan.id)}</h1>
<p>{escape(told)}</p>
{pareto_svg(front)}
{_key(front)}
<div class="wide">
{_table(front)}
</div>
</body>
</html>
"""


def _key(front: Front) -> str:
    lows = [point.quality_low for point in front.points]
    low, width = min(lows), max(lows) - min(lows)
    steps = range(STEPS) if width > 0 else [STEPS - 1]
    entries = [
        (f"q{step}", f"{low + width * step / STEPS:.3f} to {low + width * (step + 1) / STEPS:.3f}")
        for step in steps
    ]
    dots = "\n".join(
        f'<span><svg viewBox="0 0 10 10" aria-hidden="true">'
        f'<circle class="{name}" cx="5" cy="5" r="5"/></svg>'
        f"{told}</span>"
        for name, told in entries
    )
    return (
        f'<div class="key"><span>quality, low end of its 90 % interval:</span>\n{dots}\n'
        "<span>thin lines: 10-90 % range of the estimate</span></div>"
    )


def _table(front: Front) -> str:
    head = f"<th></th><th class=n>$/h</th><th class=n>p95 {front.metric}</th><th>range</th>"
    head += "<th class=n>quality</th><th class=n>low end</th><th>fleet</th>"
    rows = "\n".join(_row(point, front) for point in front.points)
    return (
        f"<table>\n<caption>The designs, cheapest first</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _row(point: Point, front: Front) -> str:
    told = [name for name, on in (("chosen", point.chosen), ("in force then", point.incumbent)) if on]
    kind = ' class="marked"' if told else ""
    fleet = point.fleet if point.fits else f"{point.fleet} (misses a target)"
    p95 = point.p95_s
    dot = '<svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true" style="width:10px">'
    dot += f'<circle class="q{step_of(point, front)}" cx="5" cy="5" r="5"/></svg>'
    cells = (
        f"<td>{escape(' and '.join(told)) or dot}</td>",
        f"<td class=n>{usd(point.usd_per_hour)}</td>",
        f"<td class=n>{seconds(p95.value)}</td>",
        f"<td>{seconds(p95.low, like=p95.value)} to {seconds(p95.high, like=p95.value)}</td>",
        f"<td class=n>{point.quality:.3f}</td>",
        f"<td class=n>{point.quality_low:.3f}</td>",
        f"<td>{escape(fleet)}</td>",
    )
    return f"<tr{kind}>{''.join(cells)}</tr>"
