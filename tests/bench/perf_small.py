"""`llmperf_small_gpus`: one GPU, 64 requests at once; speed as a multiple of the A100's."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from perf_closed import alike, served
from perf_points import Kind, Point
from perf_setups import Setup, gpu, model
from perf_tables import DATA

from bouted.catalog.precision import Precision
from bouted.perf.flags import EngineFlags

FILE = DATA / "llmperf_small_gpus" / "runs.csv"
REFERENCE = "A100-80GB"
GPUS = {
    "A100 SXM": REFERENCE,
    "A40": "A40",
    "L4": "L4",
    "L40S": "L40S",
    "RTX 3090": "RTX3090",
    "RTX 4090": "RTX4090",
    "RTX A6000": "A6000",
    "H100 SXM": "H100-80GB",
    "H200 SXM": "H200",
    "MI300X": "MI300X",
}
LLAMA, QWEN = "llama-3.1-8b", "qwen2.5-14b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the client. `gpu` is the catalog's name, "" for others; tokens are means per request."""

    gpu: str
    gpu_info: str
    model: str
    precision: Precision
    clients: int
    prompt_tokens: int
    output_tokens: int
    tokens_per_s: float


def read(file: Path = FILE) -> tuple[Run, ...]:
    """Every run but the first of each machine, model and database: those met a cold engine."""
    table = pd.read_csv(file).sort_values("timestamp", kind="stable")
    warm = table[table.duplicated(["gpu_info", "model", "db"])]
    return tuple(_run(values) for values in warm.itertuples())


def _run(values: Any) -> Run:
    return Run(
        gpu=GPUS.get(values.gpu, ""),
        gpu_info=values.gpu_info,
        model=LLAMA if "Llama-3.1-8B" in values.model else QWEN,
        precision=Precision(values.data_type.lower()),
        clients=int(values.num_concurrent_requests),
        prompt_tokens=round(values.in_tokens_mean),
        output_tokens=round(values.out_tokens_mean),
        tokens_per_s=float(values.overall_throughput),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Speed relative to the A100 under the same model and precision: ours, and that of bandwidth alone."""

    ours: tuple[Point, ...]
    bandwidth: tuple[Point, ...]


def ratios(runs: tuple[Run, ...]) -> Ratios:
    """Every run on another GPU of the catalog whose model ran on the A100 too."""
    ours: list[Point] = []
    bandwidth: list[Point] = []
    for run in runs:
        base = [
            one
            for one in runs
            if (one.gpu, one.model, one.precision) == (REFERENCE, run.model, run.precision)
        ]
        if not run.gpu or run.gpu == REFERENCE or not base:
            continue
        measured = run.tokens_per_s / median(one.tokens_per_s for one in base)
        here, there = gpu(run.gpu), gpu(REFERENCE)
        ours.append(_point(run, measured, output_tokens_per_s(run, run.gpu) / output_tokens_per_s(run, REFERENCE)))
        bandwidth.append(_point(run, measured, here.bandwidth_gb_per_s / there.bandwidth_gb_per_s))
    return Ratios(ours=tuple(ours), bandwidth=tuple(bandwidth))


def output_tokens_per_s(run: Run, name: str) -> float:
    """Ours: `clients` requests at once, each of the mean length."""
    ran = Setup(
        model=model(run.model),
        gpu=gpu(name),
        precision=run.precision,
        flags=EngineFlags(max_model_len=8192, async_scheduling=False),
    )
    costs = ran.costs(run.prompt_tokens + run.output_tokens, run.clients)
    seen = served(costs, run.clients, alike(run.clients, run.prompt_tokens, run.output_tokens))
    return seen.output_tokens / seen.lasted_s


def left_out(runs: tuple[Run, ...]) -> Iterator[str]:
    """GPUs that the catalog lacks, and how many runs each."""
    absent = Counter(run.gpu_info for run in runs if not run.gpu)
    if absent:
        yield f"not in the catalog: {', '.join(f'{name} ({count})' for name, count in sorted(absent.items()))}"


def _point(run: Run, measured: float, estimated: float) -> Point:
    values = {"GPU": run.gpu, "model": run.model, "precision": run.precision.value, "machine": run.gpu_info}
    return Point(
        name=f"{run.model} {run.precision} on {run.gpu_info}: {measured:.2f} of the A100, we say {estimated:.2f}",
        measured=measured,
        estimated=estimated,
        kinds=tuple(Kind(by=by, value=value) for by, value in values.items()),
    )
