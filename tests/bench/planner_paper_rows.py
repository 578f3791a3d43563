"""The figures that the paper's scenario is asked for, one function each."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median

from planner_paper_anchor import PAPER, anchors
from planner_paper_cells import METHODS, Tabled, answer, judge_of, tabled
from planner_paper_costs import goals, least_usd_per_hour
from planner_paper_gains import (
    gains_percent,
    hypervolume,
    mean_gain_percent,
    ratio_errors_percent,
    savings_percent,
)
from planner_paper_milp import quickest
from planner_paper_ours import ours
from planner_paper_parameters import AVAILABLE, GSM8K, SHORT_RUN, WORKLOADS, Workload
from planner_paper_problem import straight
from planner_paper_published import (
    BASELINES,
    CELLS,
    MAX_GAIN_PERCENT,
    MEAN_GAIN_PERCENT,
    SAVING_OVER_ALL_PERCENT,
    SAVING_PERCENT,
    Method,
)
from planner_paper_told import tell_cells, tell_costs, where
from planner_paper_toy import LEAST_S, PAPERS_PLAN_S, example

from bouted.testing.bench import Bench

WITHIN_PERCENT = 15.0
BETTER = 1.001
"""Less is no difference."""
BELOW = 0.02
"""Hypervolume counts from so much below the lowest floor's share: fleets on the floor are welcome."""


def anchor_row(bench: Bench) -> None:
    """Whether the GPUs are as fast to each other as the paper says."""
    off = [
        100 * abs(found / PAPER[model] - 1)
        for workload in WORKLOADS
        for model, found in anchors(judge_of(workload)).items()
    ]
    bench.row(
        "paper scenario, equal-money test of GPUs, furthest off", max(off), "%", WITHIN_PERCENT, "lower"
    )


def reproduction_rows(bench: Bench, found: Tabled) -> bool:
    """How near our baselines are to the paper's; the answer is whether near enough."""
    errors = ratio_errors_percent(found.p95_s)
    middle, (worst, at) = median(errors.values()), max(errors, key=lambda key: errors[key])
    name, floor = CELLS[at]
    title = "our baselines v the paper's, P95 ratios over BOute"
    bench.row(f"{title}, median error", middle, "%", WITHIN_PERCENT, "lower")
    bench.row(f"{title}, worst ({worst.value}, {name} {floor:g})", errors[worst, at], "%", None, "lower")
    if middle > WITHIN_PERCENT:
        bench.note("ratios are not the paper's within 15 %: rows of gain and saving count as missed")
    return middle <= WITHIN_PERCENT


def short_run_rows(bench: Bench) -> None:
    """How near the baselines are in another reading of what the paper leaves open, and the gains there."""
    found = tabled(AVAILABLE, 1, SHORT_RUN).p95_s
    gains = gains_percent(found)
    name = "sensitivity: the same with 1,000 requests at full speed, a reading tried after the fact"
    for what, value, better in (
        ("median error", median(ratio_errors_percent(found).values()), "lower"),
        ("mean gain over the paper's baselines", mean_gain_percent(gains), "higher"),
        ("largest gain", max(gains.values()), "higher"),
    ):
        bench.row(f"{name}, {what}", value, "%", None, better)


def gain_rows(bench: Bench, found: Tabled, reproduced: bool) -> None:
    """The table, and the paper's two headlines on it."""
    tell_cells(bench, found)
    gains = gains_percent(found.p95_s)
    for what, value, target in (
        ("mean gain over its baselines", mean_gain_percent(gains), MEAN_GAIN_PERCENT),
        ("largest gain", max(gains.values()), MAX_GAIN_PERCENT),
    ):
        name = f"paper scenario, {where(found.available)}, {what}"
        bench.row(name, value, "%", target, "higher", provided=reproduced)


def cost_rows(bench: Bench, thorough: int, reproduced: bool) -> None:
    """Table 3 and what it saves."""
    columns = goals(thorough)
    costs: dict[Method, tuple[float | None, ...]] = {}
    for method in METHODS:
        usd = [least_usd_per_hour(method, goal) for goal in columns]
        costs[method] = tuple(None if one is None else float(one) for one in usd)
    tell_costs(bench, costs)
    wanted = [((method,), f"v {method.value}", target) for method, target in SAVING_PERCENT.items()]
    for over, what, target in (*wanted, (BASELINES, "over all cells", SAVING_OVER_ALL_PERCENT)):
        name = f"cost at equal targets, mean saving {what}"
        bench.row(name, savings_percent(costs, over), "%", target, "higher", provided=reproduced)


def method_rows(bench: Bench, tables: Sequence[Tabled]) -> None:
    """Ours against the paper's own method, with the same profiles and as many fleets judged."""
    volumes = [_volumes(workload, found) for found in tables for workload in WORKLOADS]
    least = min(mine / theirs for mine, theirs in volumes)
    bench.row("v the paper's own method, hypervolume, least of ours over its", least, "x", 1.0, "higher")
    for found in tables:
        pairs = zip(found.p95_s[Method.PAPER], found.p95_s[Method.OURS], strict=True)
        ratios = [theirs / mine for theirs, mine in pairs if theirs is not None and mine is not None]
        name = f"v the paper's own method, {where(found.available)}, best P95 at each floor"
        bench.row(f"{name}, least of its over ours", min(ratios), "x", 1.0, "higher")
        better = sum(ratio > BETTER for ratio in ratios)
        bench.row(f"{name}, ours better", better, "of 6", 4, "higher")


def _volumes(workload: Workload, table: Tabled) -> tuple[float, float]:
    """Hypervolume of P95 and share on 70B over all fleets judged at the data set's floors: ours, theirs.

    More than the highest floor asks for counts for nothing.
    """
    judge = judge_of(workload)
    columns = [cell for cell in table.cells if cell.workload is workload]
    alone = answer(Method.ALONE, columns[0])
    if alone is None:
        raise ValueError(f"Stand-Alone-Homo serves nothing in {workload.name}")
    worst, most = (alone.p95_s, columns[0].large_share - BELOW), columns[-1].large_share

    def volume(method: Method) -> float:
        found = [best for cell in columns if (best := answer(method, cell)) is not None]
        fleets = [fleet for best in found for fleet in best.judged]
        found_at = [(judge.p95_s(fleet), min(fleet.large_share, most)) for fleet in fleets]
        return hypervolume(found_at, worst)

    return volume(Method.OURS), volume(Method.PAPER)


def toy_row(bench: Bench) -> None:
    """The exact MILP on the worked example of its own paper."""
    found = quickest(example(), 1.0, 1000.0)
    seconds = None if found is None else found[0]
    name = f"toy of 2502.00722, least time (its own plan: {PAPERS_PLAN_S:g} s)"
    bench.row(name, seconds, "s", LEAST_S + 0.01, "lower")


def router_row(bench: Bench, found: Tabled) -> None:
    """GSM8K with a router as good as a coin, which beats the paper's: what that alone is worth."""
    (x0, y0), (x1, y1) = GSM8K.curve[0], GSM8K.curve[-1]
    chord = straight(((x0, y0 / GSM8K.full_score), (x1, y1 / GSM8K.full_score)))
    judge = judge_of(GSM8K)
    gains: list[float] = []
    for cell, before in zip(found.cells, found.p95_s[Method.OURS], strict=True):
        if cell.workload is GSM8K and before is not None:
            share = (cell.floor - y0) / (y1 - y0)
            fleets = ours(judge, replace(cell.question, quality=chord, least_large=share))
            gains.append(100 * (before / min(map(judge.p95_s, fleets), default=before) - 1))
    name = "router gain: GSM8K on the straight chord, mean (in no row above)"
    bench.row(name, fmean(gains), "%", None, "higher")
