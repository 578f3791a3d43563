"""The paper's own scenario: its baselines, its method and ours, cell by cell beside what it reports."""

import sys
from pathlib import Path
from statistics import fmean

from planner_paper_cells import AVAILABILITIES, tabled
from planner_paper_chart import draw
from planner_paper_labels import FILE, SETS, Labelled, labelled
from planner_paper_parameters import AVAILABLE, SEED
from planner_paper_published import BASELINES, Method
from planner_paper_rows import (
    anchor_row,
    cost_rows,
    gain_rows,
    method_rows,
    reproduction_rows,
    router_row,
    short_run_rows,
    toy_row,
)

from bouted.testing.bench import Bench

CHART = Path("build/bench/planner-paper.svg")


def paper_rows(bench: Bench, quick: bool) -> None:
    """Every row of the paper's scenario.

    Quick ones leave out unlimited GPUs and the second set of labels, and ask our planner once.
    """
    thorough = 1 if quick else 2
    bench.note(f"paper scenario: seed {SEED}; seconds are not the paper's, only ratios compare")
    bench.note(
        "bouted's replicas share requests as its plan says, those of others so that by their profiles all of "
        "one model are as slow"
    )
    anchor_row(bench)
    tables = [tabled(available, thorough) for available in AVAILABILITIES[: 1 if quick else 2]]
    draw(tables[0].p95_s, CHART)
    reproduced = reproduction_rows(bench, tables[0])
    short_run_rows(bench)
    for found in tables:
        gain_rows(bench, found, reproduced)
    cost_rows(bench, thorough, reproduced)
    method_rows(bench, tables)
    toy_row(bench)
    router_row(bench, tables[0])
    for name in SETS[: 1 if quick else 2]:
        _labels(bench, name, labelled(name, AVAILABLE, thorough) if FILE.exists() else ())


def _labels(bench: Bench, name: str, found: tuple[Labelled, ...]) -> None:
    """The table with a router trained on real labels."""
    for one in found:
        shown = ", ".join(f"{method.value} {seconds:.1f} s" for method, seconds in one.p95_s.items())
        bench.note(
            f"real labels, {name}, floor {100 * one.floor:.1f} %: {100 * one.large_share:.1f} % on 70B"
            f" (a coin, without an interval: {100 * one.coin_share:.1f} %); {shown}"
        )
    gains = [
        100 * (one.p95_s[method] / one.p95_s[Method.OURS] - 1)
        for one in found
        for method in BASELINES
        if method in one.p95_s and Method.OURS in one.p95_s
    ]
    value = fmean(gains) if gains else None
    bench.row(f"real labels, {name}, mean gain over the baselines", value, "%", None, "higher")


def main() -> int:
    """This part alone."""
    bench = Bench("planner-paper")
    paper_rows(bench, quick="quick" in sys.argv[1:])
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
