"""A replica order as an SGLang command. That the wheel's own fields take it, `make engine-test` says."""

from dataclasses import replace
from typing import Any

import pytest
from bouted.providers.engine_options import VERSIONS, EngineOptions
from bouted.providers.engine_start import EngineStart
from bouted.providers.paced_flags import sglang_parser
from bouted.providers.sglang import rank_commands, start_of
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.precision import KvPrecision, Precision
from bouted.errors import Misconfigured
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine
from bouted.reconcile.launcher import ReplicaOrder
from bouted.testing.orders import a_replica_order

OPTIONS = EngineOptions(engine=Engine.SGLANG, version=VERSIONS[Engine.SGLANG])
# Names that 0.5.23 has; what is written must stay among them.
KNOWN = {
    "--model-type", "--model-path", "--served-model-name", "--host", "--port", "--dtype", "--quantization",
    "--kv-cache-dtype", "--context-length", "--mem-fraction-static", "--max-running-requests",
    "--chunked-prefill-size", "--tp-size", "--pp-size", "--enable-metrics", "--log-level-http",
    "--cuda-graph-backend-decode", "--cuda-graph-backend-prefill", "--disable-overlap-schedule",
    "--nnodes", "--node-rank", "--dist-init-addr",
}  # fmt: skip


def order(**shape: Any) -> ReplicaOrder:
    plain = a_replica_order()
    return replace(plain, shape=replace(plain.shape, engine=Engine.SGLANG, **shape))


def start(order: ReplicaOrder, options: EngineOptions = OPTIONS) -> EngineStart:
    return start_of(order, options, secrets={"HF_TOKEN": "hush"})


def flags_of(argv: tuple[str, ...]) -> set[str]:
    return {word for word in argv if word.startswith("--")}


def test_the_frozen_names_are_of_the_version_that_is_installed() -> None:
    assert OPTIONS.version == "0.5.23"


def test_a_replica_becomes_one_command() -> None:
    argv = start(order()).argv
    assert argv[3:] == (
        "{home}/.bouted/engines/sglang-0.5.23", "sglang", "serve", "--model-type", "llm",
        "--model-path", "{home}/.bouted/weights/example/small", "--served-model-name", "small",
        "--host", "127.0.0.1", "--port", "{port}", "--dtype", "auto", "--kv-cache-dtype", "auto",
        "--context-length", "4096", "--mem-fraction-static", "0.9", "--max-running-requests", "256",
        "--chunked-prefill-size", "2048", "--tp-size", "1", "--pp-size", "1",
        "--enable-metrics", "--log-level-http", "warning",
    )  # fmt: skip


@given(
    tp=st.sampled_from((1, 2, 4, 8)),
    pp=st.integers(1, 4),
    precision=st.sampled_from(Precision),
    kv=st.sampled_from(KvPrecision),
    length=st.integers(128, 131_072),
    share=st.floats(0.3, 0.98),
    seqs=st.integers(1, 2048),
    tokens=st.integers(256, 32_768),
    eager=st.booleans(),
    overlap=st.booleans(),
)
def test_what_plans_reckon_with_is_what_the_engine_is_told(
    tp: int, pp: int, precision: Precision, kv: KvPrecision, length: int, share: float, seqs: int,
    tokens: int, eager: bool, overlap: bool,
) -> None:  # fmt: skip
    flags = EngineFlags(
        max_model_len=length, gpu_memory_utilization=share, max_num_seqs=seqs, max_num_batched_tokens=tokens,
        kv_cache_dtype=kv, enforce_eager=eager, async_scheduling=overlap,
    )  # fmt: skip
    made = start(replace(order(tp=tp, pp=pp, precision=precision), flags=flags))
    assert made.gpus == tp * pp
    assert flags_of(made.argv) <= KNOWN
    words = made.argv[made.argv.index("serve") + 1 :]
    read = sglang_parser().parse_args([word.replace("{port}", "8000") for word in words])
    assert (read.tp_size, read.pp_size) == (tp, pp)
    assert (read.context_length, read.max_running_requests, read.chunked_prefill_size) == (
        length, seqs, tokens,
    )  # fmt: skip
    assert read.mem_fraction_static == pytest.approx(share, rel=1e-5)
    assert read.kv_cache_dtype == {KvPrecision.AUTO: "auto", KvPrecision.FP8: "fp8_e4m3"}[kv]
    assert (read.cuda_graph_backend_decode, read.cuda_graph_backend_prefill) == (
        ("disabled", "disabled") if eager else (None, None)
    )
    assert read.disable_overlap_schedule is not overlap
    assert (read.host, read.served_model_name, read.enable_metrics) == ("127.0.0.1", "small", True)


def test_its_drain_has_no_bound_of_its_own_so_the_start_gives_one() -> None:
    assert start(order(), replace(OPTIONS, shutdown_s=90)).grace_s > 90


def test_a_replica_over_several_instances_is_shown_and_never_started() -> None:
    group = order(tp=8, pp=2, instances=2)
    shown = replace(OPTIONS, experimental_groups=True)
    with pytest.raises(Misconfigured, match="experimental"):
        rank_commands(group, OPTIONS, head="10.0.0.1")
    with pytest.raises(Misconfigured, match="only shown"):
        start(group, shown)
    first, second = rank_commands(group, shown, head="10.0.0.1")
    assert first[-6:] == ("--nnodes", "2", "--node-rank", "0", "--dist-init-addr", "10.0.0.1:29501")
    assert second[-6:] == ("--nnodes", "2", "--node-rank", "1", "--dist-init-addr", "10.0.0.1:29501")
    assert flags_of(first) | flags_of(second) <= KNOWN
