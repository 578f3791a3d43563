"""Ratios and gains of the paper's table, worked out as the paper does."""

from collections.abc import Sequence
from statistics import fmean

from planner_paper_published import BASELINES, CELLS, P95_S, Method

Table = dict[Method, tuple[float | None, ...]]


def ratio_errors_percent(ours: Table) -> dict[tuple[Method, int], float]:
    """How far each baseline's P95 over the direct method's is from the paper's, where the paper has both."""
    found: dict[tuple[Method, int], float] = {}
    for method in BASELINES:
        for at in range(len(CELLS)):
            theirs = _ratio(P95_S, method, Method.PAPER, at)
            mine = _ratio(ours, method, Method.PAPER, at)
            if theirs is not None and mine is not None:
                found[method, at] = 100 * abs(mine / theirs - 1)
    return found


def gains_percent(table: Table) -> dict[tuple[Method, int], float]:
    """How much longer each baseline takes than ours, in percent of ours."""
    return {
        (method, at): 100 * (ratio - 1)
        for method in BASELINES
        for at in range(len(CELLS))
        if (ratio := _ratio(table, method, Method.OURS, at)) is not None
    }


def mean_gain_percent(gains: dict[tuple[Method, int], float]) -> float:
    """The mean of the means over floors, every baseline of every data set alike: the paper's 59 %."""
    names = sorted({name for name, _ in CELLS})
    groups = [
        [gain for (by, at), gain in gains.items() if by is method and CELLS[at][0] == name]
        for method in BASELINES
        for name in names
    ]
    return fmean(fmean(group) for group in groups if group)


def savings_percent(costs: dict[Method, tuple[float | None, ...]], over: Sequence[Method]) -> float:
    """The mean saving of ours over these methods, cell by cell."""
    mine = costs[Method.OURS]
    return fmean(
        100 * (1 - ours / theirs)
        for method in over
        for theirs, ours in zip(costs[method], mine, strict=True)
        if theirs is not None and ours is not None
    )


def hypervolume(points: Sequence[tuple[float, float]], worst: tuple[float, float]) -> float:
    """The share of the box between (0, 1) and `worst` that points of (P95, quality) dominate.

    Less P95 is better, more quality is; points outside the box count for nothing.
    """
    found, highest = 0.0, worst[1]
    for seconds, quality in sorted(points):
        if seconds < worst[0] and quality > highest:
            found += (worst[0] - seconds) * (quality - highest)
            highest = quality
    return found / (worst[0] * (1 - worst[1]))


def _ratio(table: Table, method: Method, base: Method, at: int) -> float | None:
    above, below = table[method][at], table[base][at]
    return None if above is None or below is None else above / below
