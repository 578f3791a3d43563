"""`make bench-perf`: the performance model against what others measured, and how fast it is."""

import json
import sys
from pathlib import Path

from perf_engine import JUDGED, TARGET_PERCENT
from perf_rows_other import dstack_rows, layer_rows, offline_rows, parallel_rows, small_rows
from perf_rows_served import interval_rows, served_rows
from perf_speed import azure_conversation_s, tokens_per_s
from perf_table import table_s

from bouted.testing.bench import Bench

ENGINE = Path("build/bench/perf_engine.json")
AZURE = Path(__file__).parents[3] / "shared" / "data" / "azure_llm_2023" / "azure_llm_2023_conv.csv.gz"


def main() -> int:
    """Every row of the bench, in order."""
    bench = Bench("perf")
    points = served_rows(bench)
    offline_rows(bench)
    layer_rows(bench)
    small_rows(bench)
    parallel_rows(bench)
    dstack_rows(bench)
    _engine(bench)
    interval_rows(bench, points)
    _speed(bench)
    return bench.finish()


def _engine(bench: Bench) -> None:
    """The promised rows as the last `make engine-test` left them: it takes a real engine and ten minutes."""
    rows = json.loads(ENGINE.read_text(encoding="utf-8"))["rows"] if ENGINE.exists() else []
    values = {row["name"]: row["value"] for row in rows}
    if not rows:
        bench.note("the real engine is measured by make engine-test")
    for what in sorted(JUDGED):
        name = f"real vLLM on CPU, error of {what}"
        bench.row(name, values.get(name), "%", TARGET_PERCENT, "lower")


def _speed(bench: Bench) -> None:
    bench.row(
        "profile table, 4 models x 10 GPUs x all layouts x 20 loads, cold", table_s(), "s", 60.0, "lower"
    )
    bench.row("fleet simulator at batch 32, one core", tokens_per_s(), "tokens/s", 3e6, "higher")
    azure_s = azure_conversation_s(AZURE) if AZURE.exists() else None
    bench.row("Azure's conversation trace of 2023 through a fleet", azure_s, "s", 3.0, "lower")


if __name__ == "__main__":
    sys.exit(main())
