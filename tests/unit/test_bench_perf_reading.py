"""What the performance bench makes of rows that others published, traps included."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import perf_inferencex
import perf_layer_times
import perf_leave_model
import perf_offline
import perf_parallel
import perf_small
import pytest
from perf_closed import alike, served, spread
from perf_dstack import stretched

from bouted.catalog.gpus import Evidence
from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.costs import roofline

SERVED = {
    "id": "a", "backend": "vllm", "backend_version": None,
    "model_path": "Qwen/Qwen3-32B", "system": "h100_sxm",
    "precision": None, "mode": "agg", "isl": 1024, "osl": 128, "batch_size": 8.0, "tp_size": 2.0,
    "pp_size": None, "attention_dp_size": None, "moe_tp_size": 1.0, "moe_ep_size": 1.0, "ttft_ms": 100.0,
    "tpot_ms": 20.0, "concurrency": 8.0, "source": "source_file=x.csv",
}  # fmt: skip


def _served(folder: Path, **fields: object) -> tuple[perf_inferencex.Row, ...]:
    file = folder / "rows.csv"
    pd.DataFrame([SERVED | fields]).to_csv(file, index=False)
    return perf_inferencex.read(file)


def test_a_row_without_a_precision_is_bf16_and_its_times_are_seconds(tmp_path: Path) -> None:
    (row,) = _served(tmp_path)
    assert (row.precision, row.ttft_s, row.tpot_s, row.pp) == (Precision.BF16, 0.1, 0.02, 1)
    assert not perf_inferencex.unsupported(row)


def test_the_batch_size_stands_in_for_a_missing_concurrency(tmp_path: Path) -> None:
    (row,) = _served(tmp_path, concurrency=None, batch_size=24.0)
    assert row.concurrency == 24


def test_disaggregated_runs_are_not_read(tmp_path: Path) -> None:
    assert _served(tmp_path, mode="disagg") == ()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_path": "zhipuai/GLM-5"}, "model zhipuai/GLM-5"),
        ({"system": "gb200"}, "GPU gb200"),
        ({"attention_dp_size": 4.0}, "attention split over requests"),
        ({"model_path": "openai/gpt-oss-120b", "moe_ep_size": 8.0}, "attention split over requests"),
        ({"tp_size": 64.0}, "tp 64 beyond one node"),
    ],
)
def test_what_cannot_be_judged_says_why(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    (row,) = _served(tmp_path, **fields)
    assert perf_inferencex.unsupported(row).startswith(reason)


@pytest.mark.parametrize(
    ("fields", "kv"),
    [
        ({"model_path": "meta-llama/Llama-3.1-70B", "precision": "fp8"}, KvPrecision.FP8),
        ({"model_path": "meta-llama/Llama-3.1-8B-Instruct", "precision": "fp8"}, KvPrecision.AUTO),
        ({}, KvPrecision.AUTO),
    ],
)
def test_checkpoints_of_nvidia_have_an_fp8_cache(
    tmp_path: Path, fields: dict[str, object], kv: KvPrecision
) -> None:
    (row,) = _served(tmp_path, **fields)
    assert perf_inferencex.setup(row).flags.kv_cache_dtype is kv


def test_the_first_run_of_each_group_is_dropped(tmp_path: Path) -> None:
    run = {
        "gpu": "L4", "gpu_info": "L4", "model": "unsloth/Meta-Llama-3.1-8B-Instruct", "data_type": "BF16",
        "num_concurrent_requests": 64, "completed_requests": 64, "in_tokens_mean": 550.0,
        "out_tokens_mean": 150.0, "mean_latency": 9.0, "ttft": 0.6, "db": "a.db",
    }  # fmt: skip
    rows = [
        run | {"timestamp": when, "overall_throughput": speed, "gpu_info": machine}
        for when, speed, machine in ((2, 250.0, "L4"), (1, 100.0, "L4"), (3, 90.0, "other L4"))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    (kept,) = perf_small.read(tmp_path / "runs.csv")
    assert kept.tokens_per_s == 250.0
    assert kept.open == pytest.approx(9.0 * 250.0 / 150.0)


def test_a_prompt_that_came_back_sooner_than_it_can_be_read_was_cached() -> None:
    run = perf_small.Run(
        gpu="RTX3090", gpu_info="3090", database="a.db", model=perf_small.LLAMA, precision=Precision.BF16,
        requests=64, mean_latency_s=4.0, ttft_s=0.6, prompt_tokens=550, output_tokens=150, tokens_per_s=700.0,
    )  # fmt: skip
    assert perf_small.cached_in((run, replace(run, database="b.db", ttft_s=0.05))) == {"b.db"}


def test_a_cell_needs_two_ways_on_two_gpus(tmp_path: Path) -> None:
    def one(gpus: int, kind: str, speed: float, batch: int = 16) -> dict[str, object]:
        return {
            "Model": "meta-llama/Llama-2-7b-hf", "Num of Hardware": gpus, "Input Output Length": 128,
            "Batch Size": batch, "Parallelism Type": kind, "Throughput": speed,
        }  # fmt: skip

    rows = [
        one(1, "Tensor Parallelism", 5.0), one(1, "Pipeline Parallelism", 6.0), one(4, "PP", 9.0),
        one(4, "Hybird Tensor (2) and Pipeline (2) Parallelism", 3.0), one(4, "EP", 99.0),
        one(4, "Pipeline Parallelism", 1.0), one(2, "TP", 4.0),
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "cells.csv", index=False)
    (cell,) = perf_parallel.read(tmp_path / "cells.csv")
    assert (cell.gpus, cell.winner) == (4, perf_parallel.PIPELINE)
    assert {one.kind: one.measured for one in cell.tries} == {"PP": 5.0, "hybrid": 3.0}


def test_layers_that_rounded_to_nothing_and_large_batches_are_not_judged(tmp_path: Path) -> None:
    rows = [("prompt", 250, 1.0), ("prompt", 50, 0.0), ("decode", 8, 0.9), ("decode", 45, 1.7)]
    table = pd.DataFrame(rows, columns=["phase", "tokens_or_batch", "time_ms_per_layer"])
    table.assign(model="llama2_70b", node="t4x4").to_csv(tmp_path / "layers.csv", index=False)
    found = perf_layer_times.helix(tmp_path / "layers.csv")
    assert [(layer.phase, layer.tokens, layer.gpu, layer.tp) for layer in found] == [
        ("prompt", 250, "T4", 4),
        ("decode", 8, "T4", 4),
    ]


def test_leaving_a_gpu_out_leaves_its_twins_out_too() -> None:
    assert not {curve.gpu for curve in perf_layer_times.without("A100-40GB").gemm} & {"A100-80GB"}
    assert not {curve.gpu for curve in perf_layer_times.without("V100-16GB").gemm} & {"V100-32GB"}


def test_the_overhead_that_was_put_in_is_found_again() -> None:
    row = perf_offline.Row(hardware="A100-40GB", model="llama-2-7b", gpus=1, length=128, batch=1, latency_s=1)
    guesses = [
        perf_offline.Guess(
            row=replace(row, latency_s=latency_s + 3e-3 * steps),
            latency_s=latency_s,
            steps=steps,
            parts=(),
            spread=0.1,
        )
        for latency_s, steps in ((1.0, 128.0), (4.0, 256.0), (9.0, 300.0))
    ]
    assert perf_offline.overhead_s(guesses) == pytest.approx(3e-3, abs=1e-5)


def test_a_model_left_out_takes_the_layers_of_nearly_its_size_along() -> None:
    table = pd.DataFrame({"n": [4096, 4300, 4096, 8192], "k": [4096, 4096, 1024, 4096]})
    kept = perf_leave_model.far(table, (perf_leave_model.Side(n=4096, k=4096),))
    assert list(kept.index) == [2, 3]
    assert len(set(perf_leave_model.sides("llama-3.1-8b"))) > 4


def test_stretched_lengths_keep_their_proportions() -> None:
    longer = stretched(np.array([10, 20, 30]), 200.0)
    assert list(longer) == [100, 200, 300]
    assert list(stretched(np.array([1, 1000]), 5.0)) == [1, 10]


def test_the_client_keeps_its_requests_open_and_sees_what_a_step_costs() -> None:
    costs = roofline(
        overhead_s=0.01, weights_s=0.0, compute_s_per_token=0.0, kv_capacity_tokens=10_000, max_batch=4,
        max_step_tokens=4096, evidence=Evidence.MEASURED, spread=0.1,
    )  # fmt: skip
    seen = served(costs, 4, alike(8, 100, 11))
    assert seen.tpot_mean_s == pytest.approx(0.01)
    assert seen.lasted_s == pytest.approx(2 * 11 * 0.01)
    assert seen.output_tokens == 88


def test_spread_lengths_stay_between_the_least_share_and_the_most() -> None:
    requests = spread(500, 1000, 100, least=0.8, seed=1)
    assert (requests.prompt.min(), requests.prompt.max()) == pytest.approx((800, 1000), abs=3)
    assert (requests.output.min(), requests.output.max()) == (80, 100)
