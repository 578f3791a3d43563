"""The bench's rows on `inferencex_e2e`: engines, mixtures of experts, GPUs and models left out, intervals."""

import os
from collections.abc import Sequence

from perf_inferencex import DENSE, FILE, GPUS, MIXED, STEP_TOKENS, Row, model_name, read
from perf_layer_times import without, without_generation
from perf_leave_model import curves_without
from perf_points import Point, lines, percent_inside, percent_off
from perf_served import SLOW_TTFT_S, Run, left_out, picked, refused, runs, sample

from bouted.testing.bench import Bench

QUICK_ROWS, ALL_ROWS = 60, 10_000
INSIDE_LEAST, INSIDE_MOST = 75.0, 90.0
NAMES = (
    "vLLM dense: TPOT, median abs. error", "vLLM dense: TPOT, 90th percentile of abs. error",
    "vLLM dense: TTFT, median abs. error", "SGLang dense: TPOT, median abs. error",
    *(f"{name}: TPOT, median abs. error" for name in MIXED),
)  # fmt: skip


def served_rows(bench: Bench) -> tuple[Point, ...]:
    """Adds the rows; returns every TPOT point, none of which any fit saw."""
    if not FILE.exists():
        for name in NAMES:
            bench.row(name, None, "%", None, "lower")
        return ()
    rows = read()
    vllm = _some(picked(rows, "vllm", DENSE))
    dense = runs(vllm)
    _dense(bench, dense)
    sglang = runs(_some(picked(rows, "sglang", DENSE)))
    _tpot(bench, "SGLang dense", sglang, 15.0)
    _tpot(bench, "TensorRT-LLM dense", runs(_some(picked(rows, "trtllm", DENSE))), None)
    mixed = _mixed(bench, rows)
    for line in left_out(rows):
        bench.note(line)
    out = _gpus_left_out(bench, vllm)
    _models_left_out(bench, vllm)
    return tuple(run.tpot() for run in (*dense, *sglang, *mixed, *out))


def interval_rows(bench: Bench, points: Sequence[Point]) -> None:
    """Adds how many of these points lie in the interval that their estimate stated."""
    share = percent_inside(points)
    bench.row("held-out points in the stated p10-p90, at least", share, "%", INSIDE_LEAST, "higher")
    bench.row("held-out points in the stated p10-p90, at most", share, "%", INSIDE_MOST, "lower")
    for spread in sorted({point.spread for point in points}):
        some = [point for point in points if point.spread == spread]
        bench.note(f"intervals of +-{spread:.0%}: {percent_inside(some):.0f} % of {len(some)} points inside")


def _some(rows: Sequence[Row]) -> tuple[Row, ...]:
    return sample(rows, QUICK_ROWS if os.environ.get("QUICK") else ALL_ROWS)


def _dense(bench: Bench, found: Sequence[Run]) -> None:
    tpot = [run.tpot() for run in found]
    bench.row(
        f"vLLM dense ({len(found)} rows): TPOT, median abs. error", percent_off(tpot), "%", 8.0, "lower"
    )
    bench.row("vLLM dense: TPOT, 90th percentile of abs. error", percent_off(tpot, 0.9), "%", 25.0, "lower")
    bench.note(f"TPOT with medians: {percent_off([run.tpot(median=True) for run in found]):.1f} %")
    _explain(bench, tpot)
    fast = [run for run in found if run.row.ttft_s <= SLOW_TTFT_S]
    slow = [run.ttft() for run in found if run.row.ttft_s > SLOW_TTFT_S]
    ttft = [run.ttft() for run in fast]
    for reading, points in (("means", ttft), ("medians", [run.ttft(median=True) for run in fast])):
        name = f"vLLM dense ({len(fast)} rows): TTFT read as {reading}, median abs. error"
        bench.row(name, percent_off(points), "%", 25.0, "lower")
    bench.row(f"vLLM dense: TTFT of the {len(slow)} rows above 10 s", percent_off(slow), "%", None, "lower")
    _explain(bench, ttft)
    _other_budget(bench, [run.row for run in fast])
    for line in refused(found):
        bench.note(line)


def _other_budget(bench: Bench, rows: Sequence[Row]) -> None:
    """NVIDIA's sweeps do not state their step budget; ours is aiconfigurator's rule, chosen among five."""
    sweeps = [row for row in rows if row.sweep]
    for what, found in (
        ("the rule's", runs(sweeps)),
        ("InferenceX's", runs(sweeps, step_tokens=STEP_TOKENS)),
    ):
        told = percent_off([run.ttft() for run in found]), percent_off([run.tpot() for run in found])
        if told[0] is not None:
            bench.note(f"NVIDIA's sweeps with {what} step budget: TTFT {told[0]:.1f} %, TPOT {told[1]:.1f} %")


def _mixed(bench: Bench, rows: Sequence[Row]) -> tuple[Run, ...]:
    found: list[Run] = []
    for name in MIXED:
        some = runs(_some([*picked(rows, "vllm", [name]), *picked(rows, "sglang", [name])]))
        _tpot(bench, f"{name} on vLLM and SGLang", some, 25.0)
        found += some
        others = runs(_some(picked(rows, "trtllm", [name])))
        if others:
            bench.note(f"{name} on TensorRT-LLM ({len(others)} rows): {_off(others):.1f} %")
    return tuple(found)


def _gpus_left_out(bench: Bench, rows: Sequence[Row]) -> tuple[Run, ...]:
    out = runs(rows, lambda row: without(GPUS[row.system]))
    _tpot(bench, "vLLM dense, leave one GPU out", out, None)
    for system in sorted({run.row.system for run in out}):
        some = [run for run in out if run.row.system == system]
        bench.row(f"vLLM dense, without the curves of {GPUS[system]}", _off(some), "%", None, "lower")
    older = runs(rows, lambda row: without_generation(GPUS[row.system]))
    _tpot(bench, "vLLM dense, leave the GPU's generation out", older, None)
    return out


def _models_left_out(bench: Bench, rows: Sequence[Row]) -> None:
    without_model = {name: curves_without(name) for name in DENSE}
    out = runs(rows, lambda row: without_model[model_name(row)])
    _tpot(bench, "vLLM dense, leave one model out", out, None)
    for name in DENSE:
        some = [run for run in out if model_name(run.row) == name]
        bench.row(f"vLLM dense, without the layers of {name}", _off(some), "%", None, "lower")
    bench.note(
        "the fit knows sizes of layers, not models: without a model means without the cells near its sizes"
    )


def _tpot(bench: Bench, name: str, found: Sequence[Run], target: float | None) -> None:
    points = [run.tpot() for run in found]
    bench.row(
        f"{name} ({len(found)} rows): TPOT, median abs. error", percent_off(points), "%", target, "lower"
    )
    _explain(bench, points)
    for line in refused(found):
        bench.note(line)


def _explain(bench: Bench, points: Sequence[Point]) -> None:
    for line in lines(points):
        bench.note(line)


def _off(found: Sequence[Run]) -> float:
    return percent_off([run.tpot() for run in found]) or 0.0
