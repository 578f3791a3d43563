"""`llmperf_small_gpus`: one GPU, 64 requests; speed as a multiple of the A100's.

The client was asked for 64 at once and never held so many: its own figures (requests x mean latency / wall
time) say 11 to 28. Both are judged: 64, and what it held against the A100, which itself is not judged.
"""

from collections import Counter
from collections.abc import Callable, Iterator
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
    database: str
    model: str
    precision: Precision
    requests: int
    mean_latency_s: float
    ttft_s: float
    prompt_tokens: int
    output_tokens: int
    tokens_per_s: float

    @property
    def open(self) -> float:
        """Requests under way on average, by Little's law."""
        return self.mean_latency_s * self.tokens_per_s / self.output_tokens

    @property
    def prompt_read(self) -> bool:
        """Whether the first token came late enough for the GPU's peak to have read the prompt."""
        if not self.gpu:
            return True
        spec, here = model(self.model), gpu(self.gpu)
        able = here.fp8_tflops if self.precision is Precision.FP8 else None
        return self.ttft_s > 2 * spec.params_b * 1e9 * self.prompt_tokens / (
            (able or here.bf16_tflops) * 1e12
        )


def read(file: Path = FILE) -> tuple[Run, ...]:
    """Every run but the first of each machine, model and database: those met a cold engine."""
    table = pd.read_csv(file).sort_values("timestamp", kind="stable")
    warm = table[table.duplicated(["gpu_info", "model", "db"])]
    return tuple(_run(values) for values in warm.itertuples())


def _run(values: Any) -> Run:
    return Run(
        gpu=GPUS.get(values.gpu, ""),
        gpu_info=values.gpu_info,
        database=values.db,
        model=LLAMA if "Llama-3.1-8B" in values.model else QWEN,
        precision=Precision(values.data_type.lower()),
        requests=int(values.completed_requests),
        mean_latency_s=float(values.mean_latency),
        ttft_s=float(values.ttft),
        prompt_tokens=round(values.in_tokens_mean),
        output_tokens=round(values.out_tokens_mean),
        tokens_per_s=float(values.overall_throughput),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Speed relative to the A100 under the same model and precision: ours, and that of bandwidth alone."""

    ours: tuple[Point, ...]
    bandwidth: tuple[Point, ...]


def cached_in(runs: tuple[Run, ...]) -> frozenset[str]:
    """Databases with prompts that nobody can have read: there the engine kept them from run to run."""
    return frozenset(run.database for run in runs if not run.prompt_read)


def ratios(
    runs: tuple[Run, ...], clients: Callable[[Run, float], int], cached: frozenset[str] = frozenset()
) -> Ratios:
    """Every run on another GPU of the catalog whose model ran on the A100 too.

    `clients` says how many requests are open in a run, given how many were on the A100; in the
    databases `cached` prompts are found in the prefix cache.
    """
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
        there = median(one.open for one in base)
        mine = output_tokens_per_s(run, run.gpu, clients(run, there), cached=run.database in cached)
        reference = output_tokens_per_s(
            base[0], REFERENCE, clients(base[0], there), cached=base[0].database in cached
        )
        narrow = gpu(run.gpu).bandwidth_gb_per_s / gpu(REFERENCE).bandwidth_gb_per_s
        ours.append(_point(run, measured, mine / reference))
        bandwidth.append(_point(run, measured, narrow))
    return Ratios(ours=tuple(ours), bandwidth=tuple(bandwidth))


def as_on_the_reference(run: Run, there: float) -> int:
    """What the client held against the A100."""
    return round(there)


def as_asked(run: Run, there: float) -> int:
    """All requests at once."""
    return run.requests


def as_held(run: Run, there: float) -> int:
    """What the client held in this very run: says how well latency is known, not throughput."""
    return round(run.open)


def output_tokens_per_s(run: Run, name: str, clients: int, *, cached: bool = False) -> float:
    """Ours: requests of the mean length, `clients` open at a time."""
    ran = Setup(
        model=model(run.model),
        gpu=gpu(name),
        precision=run.precision,
        flags=EngineFlags(max_model_len=8192, async_scheduling=False),
    )
    costs = ran.costs(run.prompt_tokens + run.output_tokens, clients)
    seen = served(costs, clients, alike(run.requests, run.prompt_tokens, run.output_tokens), cached=cached)
    return seen.output_tokens / seen.lasted_s


def left_out(runs: tuple[Run, ...]) -> Iterator[str]:
    """GPUs that the catalog lacks, and how many runs each."""
    absent = Counter(run.gpu_info for run in runs if not run.gpu)
    if absent:
        told = [f"{name} ({count})" for name, count in sorted(absent.items())]
        yield f"not in the catalog: {', '.join(told)}"


def _point(run: Run, measured: float, estimated: float) -> Point:
    values = {"GPU": run.gpu, "model": run.model, "precision": run.precision.value, "database": run.database}
    return Point(
        name=f"{run.model} {run.precision} on {run.gpu_info}: {measured:.2f}, we say {estimated:.2f}",
        measured=measured,
        estimated=estimated,
        kinds=tuple(Kind(by=by, value=value) for by, value in values.items()),
    )
