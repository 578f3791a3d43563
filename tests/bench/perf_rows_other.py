"""The bench's rows on the other data sets: offline runs, layers, small GPUs, parallel kinds, full nodes."""

import os
from collections.abc import Sequence
from pathlib import Path

import perf_dstack
import perf_layer_times as layers
import perf_offline
import perf_parallel
import perf_small
from perf_points import Kind, Point, lines, percent_off

from bouted.testing.bench import Bench

QUICK_LAYERS = 400


def offline_rows(bench: Bench) -> None:
    """`llm_inference_bench`."""
    name = "llm_inference_bench, models that the overhead was not fitted on: throughput, median abs. error"
    if not _there(bench, perf_offline.FILE, name):
        return
    found = perf_offline.offline(perf_offline.read())
    _row(bench, f"{name} ({len(found.fitted)} rows)", found.fitted, 15.0)
    bench.row("same, without any overhead", percent_off(found.unfitted), "%", None, "lower")
    for note in found.notes:
        bench.note(note)


def layer_rows(bench: Bench) -> None:
    """`helix_layer_profiles` and `llmservingsim_layer_profiles`."""
    if _there(bench, layers.HELIX, "Helix layers"):
        rows = layers.helix()
        left_out = layers.helix_points(rows, leave_out=True)
        fitted = layers.helix_points(rows, leave_out=False)
        for phase in (layers.PROMPT, layers.DECODE):
            some = _phase(left_out, phase)
            what = phase if phase == layers.PROMPT else f"{phase} of at most {layers.SMALL_BATCH}"
            _row(
                bench,
                f"Helix layers, {what}, leave one GPU out ({len(some)} rows): median abs. error",
                some,
                15.0,
            )
            bench.note(f"with the GPU's own curves: {percent_off(_phase(fitted, phase)):.1f} %")
    if _there(bench, layers.SIMULATED, "LLMServingSim layers"):
        every = layers.simulated()
        step = max(1, len(every) // QUICK_LAYERS) if os.environ.get("QUICK") else 1
        points = tuple(layers.simulated_points(every[::step]))
        _row(
            bench,
            f"LLMServingSim layers, A6000 and 3090 ({len(points)} rows): median abs. error",
            points,
            15.0,
        )


def small_rows(bench: Bench) -> None:
    """`llmperf_small_gpus`."""
    name = "llmperf, throughput relative to the A100: median abs. error"
    if not _there(bench, perf_small.FILE, name):
        return
    runs = perf_small.read()
    for what, clients in (
        ("64 requests at once", perf_small.as_asked),
        ("as many open as against the A100", perf_small.as_on_the_reference),
    ):
        found = perf_small.ratios(runs, clients)
        ours, bandwidth = percent_off(found.ours), percent_off(found.bandwidth)
        _row(bench, f"{name}, {what} ({len(found.ours)} rows)", found.ours, 20.0)
        worth = ours / bandwidth if ours is not None and bandwidth else None
        bench.row(f"same, {what}: error over that of bandwidth alone", worth, "x", 1.0, "lower")
    bench.row("same, by bandwidth alone", bandwidth, "%", None, "lower")
    held = perf_small.ratios(runs, perf_small.as_held)
    cached = perf_small.cached_in(runs)
    known = perf_small.ratios(runs, perf_small.as_on_the_reference, cached)
    bench.note(f"with as many as it held in each run: {percent_off(held.ours):.1f} %")
    bench.note(
        f"first tokens sooner than the GPU's peak could read the prompt, in {', '.join(sorted(cached))}; with"
        f" prompts from the prefix cache there: {percent_off(known.ours):.1f} %"
    )
    for line in perf_small.left_out(runs):
        bench.note(line)


def parallel_rows(bench: Bench) -> None:
    """`tp_pp_fig5`."""
    name = "tp_pp_fig5: fastest of TP, PP and both, matched cells right"
    if not _there(bench, perf_parallel.FILE, name):
        return
    cells = perf_parallel.read()
    right = [perf_parallel.predicted(cell) == cell.winner for cell in cells]
    bench.row(f"{name} ({len(cells)} cells)", 100 * sum(right) / len(right), "%", 90.0, "higher")
    tensor = sum(cell.winner == perf_parallel.TENSOR for cell in cells)
    bench.note(f"TP is the measured winner of {tensor} of {len(cells)} cells")
    for line in perf_parallel.wrong(cells):
        bench.note(line)


def dstack_rows(bench: Bench) -> None:
    """`dstack_h100_mi300x`."""
    name = "dstack, Llama-3.1-405B: output tokens/s, median abs. error"
    if not _there(bench, perf_dstack.FILE, name):
        return
    found = perf_dstack.curve(perf_dstack.read())
    _row(bench, f"{name} ({len(found.speed)} rows)", found.speed, 20.0)
    bench.row("same: TPOT mean", percent_off(found.tpot_mean), "%", None, "lower")
    bench.row("same: TPOT median", percent_off(found.tpot_median), "%", None, "lower")
    bench.note("lengths: ShareGPT's as Helix counted them, stretched to each run's means")


def _phase(points: Sequence[Point], phase: str) -> tuple[Point, ...]:
    return tuple(point for point in points if Kind(by="phase", value=phase) in point.kinds)


def _there(bench: Bench, file: Path, name: str) -> bool:
    if not file.exists():
        bench.row(name, None, "%", None, "lower")
    return file.exists()


def _row(bench: Bench, name: str, points: Sequence[Point], target: float) -> None:
    bench.row(name, percent_off(points), "%", target, "lower")
    for line in lines(points):
        bench.note(line)
