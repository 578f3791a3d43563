"""Operator tables in place of fitted curves: a folder as aiconfigurator-core ships it, our figures in it."""

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from bouted.catalog.gpus import Evidence
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine, Fit, ReplicaShape
from bouted.perf.steptime import step_costs
from bouted.perf.tables import OperatorTables

SIDES = (512, 65536)
TOKENS = (1, 64, 16384)
FIT = Fit(
    weights_gib=1,
    reserve_gib=1,
    kv_gib=1,
    kv_capacity_tokens=100_000,
    flags=EngineFlags(max_model_len=8192),
)


def tables(root: Path, *, gemm_ms: float = 1.0, kind: str = "bfloat16") -> OperatorTables:
    """Every dense layer of an H100 takes `gemm_ms`, an all-reduce a microsecond per element and 5 ms."""
    gemms = root / "h100_sxm" / "gemm" / "vllm" / "0.24.0"
    gemms.mkdir(parents=True)
    cells = [(kind, m, n, k, gemm_ms) for m, n, k in product(TOKENS, SIDES, SIDES)]
    names = ["gemm_dtype", "m", "n", "k", "latency"]
    pd.DataFrame(cells, columns=names).to_parquet(gemms / "gemm_perf.parquet")
    reduces = root / "h100_sxm" / "comm" / "vllm" / "0.24.0"
    reduces.mkdir(parents=True)
    cells_of_two = [("vllm_graph", 2, size, 5.0) for size in (128, 2**29)]
    pd.DataFrame(cells_of_two, columns=["backend", "num_gpus", "message_size", "latency"]).to_parquet(
        reduces / "custom_allreduce_perf.parquet"
    )
    return OperatorTables(root)


def costs(
    given: OperatorTables | None,
    *,
    gpu: str = "H100-80GB",
    tp: int = 1,
    precision: Precision = Precision.BF16,
) -> StepCosts:
    catalog = load_catalog()
    shape = ReplicaShape(model="m", gpu=gpu, tp=tp, pp=1, precision=precision, engine=Engine.VLLM)
    flags = EngineFlags(max_model_len=4096)
    return step_costs(catalog.model("llama-3.1-8b"), catalog.gpu(gpu), shape, FIT, flags, tables=given)


def test_dense_layers_take_what_the_table_says(tmp_path: Path) -> None:
    slow, fast = tables(tmp_path / "slow", gemm_ms=10.0), tables(tmp_path / "fast", gemm_ms=1.0)
    layers = 4 * 32  # the output head is wider than the table
    assert costs(slow).tokens_s[5] - costs(fast).tokens_s[5] == pytest.approx(layers * 9e-3, rel=1e-6)


def test_a_cell_is_found_again_and_between_cells_it_is_a_straight_line_in_logarithms(tmp_path: Path) -> None:
    given = tables(tmp_path, gemm_ms=2.0)
    assert given.gemm_s("H100-80GB", Precision.BF16, 64, 512, 65536) == pytest.approx(2e-3)
    assert given.gemm_s("H100-80GB", Precision.BF16, 100, 4096, 4096) == pytest.approx(2e-3)
    assert given.reduce_s("H100-80GB", 2, 1e6) == pytest.approx(5e-3)


@pytest.mark.parametrize(("m", "n", "k"), [(32768, 4096, 4096), (64, 256, 4096), (64, 4096, 131072)])
def test_beyond_the_table_there_is_no_figure(tmp_path: Path, m: int, n: int, k: int) -> None:
    assert tables(tmp_path).gemm_s("H100-80GB", Precision.BF16, m, n, k) is None


def test_what_no_table_holds_stays_fitted(tmp_path: Path) -> None:
    given = tables(tmp_path)
    assert costs(given, gpu="A100-80GB") == costs(None, gpu="A100-80GB")
    assert costs(given, precision=Precision.INT4).tokens_s != costs(given).tokens_s


def test_all_reduces_come_from_the_table(tmp_path: Path) -> None:
    given = tables(tmp_path)
    alone, pair = costs(given, tp=1), costs(given, tp=2)
    assert pair.tokens_s[0] - alone.tokens_s[0] == pytest.approx(2 * 32 * 5e-3, rel=0.01)


def test_only_what_a_table_gives_is_called_measured(tmp_path: Path) -> None:
    given = tables(tmp_path)
    assert costs(given).evidence is Evidence.MEASURED
    assert costs(None).evidence is Evidence.INTERPOLATED
    assert costs(given, gpu="A100-80GB").evidence is Evidence.INTERPOLATED
    assert costs(given, gpu="T4").evidence is Evidence.ROOFLINE
