"""`llm_inference_bench`: vLLM of 2024 run offline, every request of a batch at once.

Prompt and output have the same length, so throughput counts both: `batch * 2 * length / latency`. Engines of
2024 did more on the host per step than today's; what each GPU's machine adds is one number, fitted on two
models and judged on the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from perf_closed import alike, served
from perf_points import Kind, Point, percent_off
from perf_setups import Setup, gpu, model
from perf_tables import DATA

from bouted.catalog.precision import Precision
from bouted.perf.flags import EngineFlags
from bouted.perf.steptime import Part, step_parts

FILE = DATA / "llm_inference_bench" / "throughput.csv.gz"
GPUS = {"Nvidia A100 GPU": "A100-40GB", "Nvidia H100 GPU": "H100-80GB"}
MODELS = {
    "meta-llama/Llama-2-7b-hf": "llama-2-7b",
    "meta-llama/Llama-2-70b-hf": "llama-2-70b",
    "meta-llama/Meta-Llama-3-8B": "llama-3-8b",
    "meta-llama/Meta-Llama-3-70B": "llama-3-70b",
    "mistralai/Mistral-7B-v0.1": "mistral-7b-v0.1",
    "Qwen/Qwen2-7B": "qwen2-7b",
    "Qwen/Qwen2-72B": "qwen2-72b",
}
FITTED = ("mistral-7b-v0.1", "llama-2-7b")
PROBE_S = 1e-3
OVERHEADS_S = np.arange(-2e-3, 30e-3, 0.1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run: the median of its repeats."""

    hardware: str
    model: str
    gpus: int
    length: int
    batch: int
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Our latency without any overhead, and the steps that an overhead would be added to."""

    row: Row
    latency_s: float
    steps: float
    parts: tuple[Part, ...]
    spread: float

    def point(self, overhead_s: float) -> Point:
        """Throughput in input and output tokens per second, with this much more in each step."""
        row = self.row
        tokens = 2 * row.batch * row.length
        kinds = {
            "GPU": row.hardware,
            "model": row.model,
            "tp": row.gpus,
            "batch": row.batch,
            "length": row.length,
        }
        return Point(
            name=f"{row.model} on {row.gpus} {row.hardware}, {row.length} tokens, batch {row.batch}",
            measured=tokens / row.latency_s,
            estimated=tokens / (self.latency_s + overhead_s * self.steps),
            kinds=tuple(Kind(by=by, value=str(value)) for by, value in kinds.items()),
            spread=self.spread,
            parts=self.parts,
        )


def read(file: Path = FILE) -> tuple[Row, ...]:
    """vLLM on A100 and H100, models of the catalog; repeats taken together."""
    table = pd.read_csv(file)
    table = table[(table["framework"] == "vLLM") & table["hardware"].isin(list(GPUS))]
    table = table[table["model"].isin(list(MODELS))]
    key = ["hardware", "model", "num_gpus", "in_out_len", "batch_size"]
    return tuple(
        _row(values) for values in table.groupby(key, as_index=False)["latency_s"].median().itertuples()
    )


def _row(values: Any) -> Row:
    return Row(
        hardware=GPUS[values.hardware],
        model=MODELS[values.model],
        gpus=int(values.num_gpus),
        length=int(values.in_out_len),
        batch=int(values.batch_size),
        latency_s=float(values.latency_s),
    )


def guess(row: Row) -> Guess:
    """The batch again; every request waits from the start, so each step grows by what is added to one."""
    spec = model(row.model)
    ran = Setup(
        model=spec,
        gpu=gpu(row.hardware),
        precision=Precision.BF16,
        tp=row.gpus,
        flags=EngineFlags(
            max_model_len=2 * row.length, max_num_batched_tokens=max(2048, spec.max_context),
            async_scheduling=False,
        ),
    )  # fmt: skip
    costs = ran.costs(2 * row.length, row.batch)
    slower = replace(costs, tokens_s=tuple(seconds + PROBE_S for seconds in costs.tokens_s))
    batch = alike(row.batch, row.length, row.length)
    latency_s = served(costs, row.batch, batch).lasted_s
    return Guess(
        row=row,
        latency_s=latency_s,
        steps=(served(slower, row.batch, batch).lasted_s - latency_s) / PROBE_S,
        parts=step_parts(
            ran.layout(),
            prefill_tokens=0,
            decode_seqs=row.batch,
            context_tokens=row.batch * row.length * 3 // 2,
        ),
        spread=costs.spread,
    )


def overhead_s(guesses: Sequence[Guess]) -> float:
    """Seconds in each step that bring these guesses nearest, by the median of absolute errors."""
    off = [percent_off([one.point(float(s)) for one in guesses]) or 0.0 for s in OVERHEADS_S]
    return float(OVERHEADS_S[int(np.argmin(off))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Offline:
    """Points of the models that the overheads were not fitted on, with and without them."""

    fitted: tuple[Point, ...]
    unfitted: tuple[Point, ...]
    notes: tuple[str, ...]


def offline(rows: Sequence[Row]) -> Offline:
    """One overhead per GPU from `FITTED`; the other models judged."""
    guesses = [guess(row) for row in rows]
    extra = {
        name: overhead_s([one for one in guesses if one.row.hardware == name and one.row.model in FITTED])
        for name in sorted({row.hardware for row in rows})
    }
    judged = [one for one in guesses if one.row.model not in FITTED]
    return Offline(
        fitted=tuple(one.point(extra[one.row.hardware]) for one in judged),
        unfitted=tuple(one.point(0.0) for one in judged),
        notes=tuple(_notes(guesses, extra)),
    )


def _notes(guesses: Sequence[Guess], extra: dict[str, float]) -> Iterator[str]:
    for name, seconds in extra.items():
        own = [one.point(seconds) for one in guesses if one.row.hardware == name and one.row.model in FITTED]
        yield (
            f"{name}: {1e3 * seconds:.1f} ms more in each step, fitted on {len(own)} rows of"
            f" {' and '.join(FITTED)}; there {percent_off(own):.1f} % off"
        )
