"""A replica order as a vLLM command. That vLLM's own parser takes it, `make engine-test` says."""

from dataclasses import replace
from typing import Any

import pytest
from bouted.providers.engine_options import VERSIONS, EngineOptions, SetUp
from bouted.providers.engine_start import EngineStart
from bouted.providers.paced_flags import vllm_parser
from bouted.providers.vllm import rank_commands, start_of
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.precision import KvPrecision, Precision
from bouted.errors import Misconfigured
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine
from bouted.reconcile.launcher import ReplicaOrder
from bouted.testing.orders import a_replica_order

OPTIONS = EngineOptions(engine=Engine.VLLM, version=VERSIONS[Engine.VLLM])
# Names and values that 0.32.0 has; what is written must stay among them.
KNOWN = {
    "--served-model-name", "--host", "--port", "--dtype", "--quantization", "--kv-cache-dtype",
    "--max-model-len", "--gpu-memory-utilization", "--max-num-seqs", "--max-num-batched-tokens",
    "--tensor-parallel-size", "--pipeline-parallel-size", "--enable-prefix-caching",
    "--enable-chunked-prefill", "--shutdown-timeout", "--no-enable-log-requests",
    "--disable-uvicorn-access-log", "--enforce-eager", "--no-async-scheduling",
    "--nnodes", "--node-rank", "--master-addr", "--master-port", "--headless",
}  # fmt: skip


def order(**shape: Any) -> ReplicaOrder:
    plain = a_replica_order()
    return replace(plain, shape=replace(plain.shape, **shape))


def start(order: ReplicaOrder, options: EngineOptions = OPTIONS) -> EngineStart:
    return start_of(order, options, secrets={"HF_TOKEN": "hush", "OTHER": "hush"})


def flags_of(argv: tuple[str, ...]) -> set[str]:
    return {word for word in argv if word.startswith("--")}


def test_the_frozen_names_are_of_the_version_that_is_installed() -> None:
    assert OPTIONS.version == "0.32.0"


def test_a_replica_becomes_one_command() -> None:
    argv = start(order()).argv
    assert argv[3:] == (
        "{home}/.bouted/engines/vllm-0.32.0", "vllm", "serve", "{home}/.bouted/weights/example/small",
        "--served-model-name", "small", "--host", "127.0.0.1", "--port", "{port}", "--dtype", "auto",
        "--kv-cache-dtype", "auto", "--max-model-len", "4096", "--gpu-memory-utilization", "0.9",
        "--max-num-seqs", "256", "--max-num-batched-tokens", "2048", "--tensor-parallel-size", "1",
        "--pipeline-parallel-size", "1", "--enable-prefix-caching", "--enable-chunked-prefill",
        "--shutdown-timeout", "30", "--no-enable-log-requests", "--disable-uvicorn-access-log",
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
    read = vllm_parser().parse_args([word.replace("{port}", "8000") for word in words])
    assert (read.tensor_parallel_size, read.pipeline_parallel_size) == (tp, pp)
    assert (read.max_model_len, read.max_num_seqs, read.max_num_batched_tokens) == (length, seqs, tokens)
    assert read.gpu_memory_utilization == pytest.approx(share, rel=1e-5)
    assert (read.kv_cache_dtype, read.enforce_eager) == (kv, eager)
    assert read.async_scheduling is (None if overlap else False)
    assert (read.host, read.served_model_name) == ("127.0.0.1", made.served_model)


def test_the_drain_is_bounded_from_both_sides() -> None:
    made = start(order(), replace(OPTIONS, shutdown_s=90))
    assert made.argv[made.argv.index("--shutdown-timeout") + 1] == "90"
    assert made.grace_s > 90


def test_only_the_hubs_token_is_handed_on_and_it_is_in_no_command() -> None:
    made = start(order())
    assert made.secrets == {"HF_TOKEN": "hush"}
    assert "hush" not in repr(made)
    assert start(replace(order(), weights="/mnt/small")).secrets == {}


def test_own_arguments_come_last_and_so_win() -> None:
    made = start(order(), replace(OPTIONS, extra_args=("--max-num-seqs", "7")))
    assert made.argv[-2:] == ("--max-num-seqs", "7")


def test_a_program_takes_the_place_of_the_engine_and_is_told_its_pace() -> None:
    options = replace(OPTIONS, program=("/opt/paced", "-x"), fetch=False)
    made = start(order(), options)
    assert made.argv[:3] == ("/opt/paced", "-x", "example/small")
    assert made.steps == ()
    assert "BOUTED_PACE" in made.env
    assert "BOUTED_PACE" not in start(order()).env


def test_an_image_needs_no_installing() -> None:
    made = start(order(), replace(OPTIONS, set_up=SetUp.IMAGE))
    assert made.argv[:2] == ("vllm", "serve")
    assert [step.phase for step in made.steps] == ["downloading weights"]


def test_a_new_version_is_installed_beside_the_old_one() -> None:
    old, new = start(order()), start(order(), replace(OPTIONS, version="0.33.0"))
    assert [step.phase for step in new.steps] == ["installing", "downloading weights"]
    assert new.steps[0].argv[-2:] == ("{home}/.bouted/engines/vllm-0.33.0", "vllm==0.33.0")
    assert set(old.steps[0].argv).isdisjoint(new.steps[0].argv[-2:])


@pytest.mark.parametrize("experimental", [False, True])
def test_a_replica_over_several_instances_is_never_started(experimental: bool) -> None:
    with pytest.raises(Misconfigured) as refused:
        start(order(tp=8, pp=2, instances=2), replace(OPTIONS, experimental_groups=experimental))
    assert refused.value.path == "planner.groups"


def test_the_commands_of_a_group_are_shown_to_whoever_asks_for_experiments() -> None:
    group = order(tp=8, pp=2, instances=2)
    with pytest.raises(Misconfigured, match="experimental"):
        rank_commands(group, OPTIONS, head="10.0.0.1")
    commands = rank_commands(group, replace(OPTIONS, experimental_groups=True), head="10.0.0.1")
    tail = ("--nnodes", "2", "--node-rank", "0", "--master-addr", "10.0.0.1", "--master-port", "29501")
    assert commands[0][-8:] == tail
    assert commands[1][-9:] == (*tail[:3], "1", *tail[4:], "--headless")
    assert all(flags_of(command) <= KNOWN for command in commands)
