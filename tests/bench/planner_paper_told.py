"""The paper's tables as a reader sees them: every cell, and beside it what the paper reports."""

from collections.abc import Sequence
from statistics import fmean

from planner_paper_cells import METHODS, Tabled, answer
from planner_paper_gains import Table, gains_percent
from planner_paper_parameters import AVAILABLE
from planner_paper_published import BASELINES, CELLS, COST_CELLS, COST_USD_PER_HOUR, P95_S, Method

from bouted.testing.bench import Bench

EXPLAINED = (Method.FIXED, Method.PAPER, Method.OURS)
"""Methods whose fleets are told: what any difference between them comes from."""


def where(available: int) -> str:
    """How many GPUs there are, in words."""
    return f"{available} GPUs of each type" if available == AVAILABLE else "unlimited GPUs"


def tell_cells(bench: Bench, found: Tabled) -> None:
    """P95 over ours, the fleets behind it, and the gains by baseline."""
    title = f"P95 over ours at $30/h, {where(found.available)}"
    bench.note(f"{title} (in brackets: over BOute's, in the paper)")
    _line(bench, "", [f"{name} {floor:g}" for name, floor in CELLS], 13)
    for method in METHODS:
        _line(bench, method.value, [_ratio(found.p95_s, method, at) for at in range(len(CELLS))], 13)
    for cell in found.cells:
        for method in EXPLAINED:
            best = answer(method, cell)
            if best is not None:
                name = f"{cell.workload.name} {cell.floor:g}"
                bench.note(f"{name}: {method.value} {best.p95_s:.1f} s with {best.fleet}")
    gains = gains_percent(found.p95_s)
    for method in BASELINES:
        each = [gain for (by, _), gain in gains.items() if by is method]
        bench.note(f"gain over {method.value}: mean {fmean(each):.0f} %, largest {max(each):.0f} %")


def tell_costs(bench: Bench, costs: dict[Method, tuple[float | None, ...]]) -> None:
    """$/h at equal targets, and that over ours."""
    bench.note("$/h at equal quality and P95, unlimited GPUs; over ours (in brackets: over BOute's, paper)")
    _line(bench, "", [f"{name} {floor:g}, {seconds:g} s" for name, floor, seconds in COST_CELLS], 22)
    for method in METHODS:
        _line(bench, method.value, [_cost(costs, method, at) for at in range(len(COST_CELLS))], 22)


def _line(bench: Bench, name: str, shown: Sequence[str], width: int) -> None:
    bench.note(f"{name:27} " + " ".join(f"{text:>{width}}" for text in shown))


def _ratio(found: Table, method: Method, at: int) -> str:
    seconds, mine = found[method][at], found[Method.OURS][at]
    shown = "-" if seconds is None or mine is None else f"{seconds / mine:.2f}"
    theirs, base = P95_S.get(method, (None,) * len(CELLS))[at], P95_S[Method.PAPER][at]
    return shown if theirs is None or base is None else f"{shown} ({theirs / base:.2f})"


def _cost(costs: dict[Method, tuple[float | None, ...]], method: Method, at: int) -> str:
    usd, mine = costs[method][at], costs[Method.OURS][at]
    shown = "-" if usd is None else f"${usd:.2f}"
    if usd is not None and mine is not None:
        shown += f" {usd / mine:.2f}"
    if method in COST_USD_PER_HOUR:
        shown += f" ({COST_USD_PER_HOUR[method][at] / COST_USD_PER_HOUR[Method.PAPER][at]:.2f})"
    return shown
