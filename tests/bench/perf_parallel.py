"""`tp_pp_fig5`: tensor, pipeline or both over the GPUs of one A100 node; which is fastest (TensorRT-LLM)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from perf_closed import alike, served
from perf_offline import MODELS
from perf_setups import Setup, gpu, model
from perf_tables import DATA

from bouted.catalog.precision import Precision
from bouted.perf.flags import EngineFlags

FILE = DATA / "llm_inference_bench" / "tp_pp_fig5.csv.gz"
GPU = "A100-40GB"
TENSOR, PIPELINE, HYBRID = "TP", "PP", "hybrid"
KINDS = {
    "Tensor Parallelism": TENSOR,
    "TP": TENSOR,
    "Pipeline Parallelism": PIPELINE,
    "PP": PIPELINE,
    "Hybird Tensor (2) and Pipeline (2) Parallelism": HYBRID,
    "Hybrid TP = 2 and PP = 2": HYBRID,
}
KEY = ["Model", "Num of Hardware", "Input Output Length", "Batch Size"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One way to use the GPUs, and the tokens/s that it gave."""

    kind: str
    measured: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Ways that were measured under the same model, GPUs, length and batch."""

    model: str
    gpus: int
    length: int
    batch: int
    tries: tuple[Try, ...]

    @property
    def winner(self) -> str:
        """The measured one."""
        return max(self.tries, key=lambda one: one.measured).kind


def read(file: Path = FILE) -> tuple[Cell, ...]:
    """Cells of two GPUs and more where at least two ways were measured; experts over GPUs are left out."""
    table = pd.read_csv(file)
    table = table.assign(kind=table["Parallelism Type"].map(KINDS))
    table = table[table["kind"].notna() & (table["Num of Hardware"] > 1)]
    names = MODELS | {"mistralai/Mixtral-8x7B-v0.1": "mixtral-8x7b"}
    table = table[table["Model"].isin(list(names))]
    found: list[Cell] = []
    for (name, gpus, length, batch), rows in table.groupby(KEY):
        speeds = rows.groupby("kind")["Throughput"].median()
        if len(speeds) > 1:
            tries = tuple(Try(kind=str(kind), measured=float(speed)) for kind, speed in speeds.items())
            found.append(
                Cell(model=names[name], gpus=int(gpus), length=int(length), batch=int(batch), tries=tries)
            )
    return tuple(found)


def predicted(cell: Cell) -> str:
    """The way that we say is fastest."""
    return max((one.kind for one in cell.tries), key=lambda kind: tokens_per_s(cell, kind))


def tokens_per_s(cell: Cell, kind: str) -> float:
    """Input and output tokens per second of the batch at once."""
    tp = {TENSOR: cell.gpus, PIPELINE: 1, HYBRID: 2}[kind]
    ran = Setup(
        model=model(cell.model),
        gpu=gpu(GPU),
        precision=Precision.BF16,
        tp=tp,
        pp=cell.gpus // tp,
        flags=EngineFlags(max_model_len=2 * cell.length, max_num_batched_tokens=8192),
    )
    batch = alike(cell.batch, cell.length, cell.length)
    lasted_s = served(ran.costs(2 * cell.length, cell.batch), cell.batch, batch).lasted_s
    return 2 * cell.batch * cell.length / lasted_s


def wrong(cells: tuple[Cell, ...]) -> Iterator[str]:
    """Cells that we have wrong, with the measured and our speeds."""
    for cell in cells:
        if predicted(cell) != cell.winner:
            speeds = ", ".join(
                f"{one.kind} {one.measured:.0f} ({tokens_per_s(cell, one.kind):.0f})" for one in cell.tries
            )
            yield f"wrong: {cell.model} on {cell.gpus}, {cell.length} tokens, batch {cell.batch}: {speeds}"
