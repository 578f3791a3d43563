"""MI300X: nobody published its operators, so two shares and a start come from whole offline runs.

dstack timed batches of Llama-3.1-405B in FP8 on four and eight cards (vLLM of late 2024). These rows are
judged nowhere; the served runs of the same people, which are, stay out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from perf_least import least
from perf_tables import Tables, gpu, origin

from bouted.catalog.load import load_catalog
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts
from bouted.perf.curves import GemmCurve
from bouted.perf.curveset import Curves
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine, ReplicaShape
from bouted.perf.steptime import layout_costs, layout_of

SOURCE = "dstack offline runs of Llama-3.1-405B"
CARDS = {"8xMi300 1FP8-amd": 8, "4xMi300x 1FP8-amd": 4}
STEP_TOKENS = 8192
STARTS = (15.0, 0.7, 0.3)
LOW, HIGH = (0.0, 0.1, 0.05), (60.0, 1.0, 1.0)
LOOKS = 8  # points at which a growing context is looked at


@dataclass(frozen=True, slots=True)
class _Run:
    cards: int
    batch: int
    prompt: int
    output: int


def whole_curves(tables: Tables, curves: Curves) -> Iterator[GemmCurve]:
    """Curves of the MI300X in 8 and 16 bits; its other operators are borrowed from `curves`."""
    file = tables.data / "dstack_h100_mi300x" / "throughput_offline.csv"
    if not file.exists():
        return
    rows = pd.read_csv(file)
    rows = rows[rows["gpu"].isin(CARDS) & (rows["input_len"] <= 2048)]
    spec = gpu("MI300X")
    seconds = rows["elapsed_time"].to_numpy(float)
    lengths = rows[["batch_size", "input_len", "output_len"]].to_numpy(int)
    runs = [_Run(CARDS[name], *size) for name, size in zip(rows["gpu"], lengths.tolist(), strict=True)]

    def curve(x: np.ndarray, precision: Precision) -> GemmCurve:
        start_us, bandwidth_share, flops_share = (float(v) for v in x)
        return GemmCurve(
            **origin(spec, SOURCE), cells=len(rows), error=0.0, precision=precision, start_us=start_us,
            bandwidth_share=bandwidth_share, flops_share=flops_share, sharpness=3.0,
            m_half=0.0, n_half=0.0, k_half=0.0,
        )  # fmt: skip

    def model(x: np.ndarray) -> np.ndarray:
        both = (curve(x, Precision.FP8), curve(x, Precision.BF16))
        found = replace(curves, gemm=(*curves.gemm, *both))
        costs = {cards: _costs(cards, found) for cards in CARDS.values()}
        return np.array([_elapsed_s(run, costs[run.cards]) for run in runs])

    found = least(model, seconds, STARTS, LOW, HIGH)
    for precision in (Precision.FP8, Precision.BF16):
        yield replace(curve(np.array(found.x), precision), error=found.error)


def _elapsed_s(run: _Run, costs: StepCosts) -> float:
    """One batch that is read in whole and then decoded to its end."""
    whole, rest = divmod(run.batch * run.prompt, STEP_TOKENS)
    steps = [STEP_TOKENS] * whole + [rest] * (rest > 0)
    prefill = sum(costs.step_s(n, 0, 0, n * run.prompt / 2) for n in steps)
    made = np.linspace(1, run.output - 1, LOOKS)
    decode = float(np.mean([costs.step_s(0, run.batch, int(run.batch * (run.prompt + n))) for n in made]))
    return prefill + decode * (run.output - 1)


def _costs(cards: int, curves: Curves) -> StepCosts:
    shape = ReplicaShape(model="", gpu="MI300X", tp=cards, pp=1, precision=Precision.FP8, engine=Engine.VLLM)
    flags = EngineFlags(
        max_model_len=8192, max_num_seqs=256, max_num_batched_tokens=STEP_TOKENS, async_scheduling=False
    )
    model = load_catalog().model("llama-3.1-405b")
    return layout_costs(
        layout_of(model, gpu("MI300X"), shape, flags, curves), flags, kv_capacity_tokens=10**9
    )


@cache
def _model() -> ModelSpec:
    return load_catalog().model("llama-3.1-405b")
