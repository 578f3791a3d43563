"""vLLM: what it takes to serve a replica with it. Flags are those of 0.32.

Data parallelism is several replicas, which plans place and the gateway balances; so there is no flag for it.
"""

from collections.abc import Mapping

from bouted.reconcile.launcher import ReplicaOrder

from .engine_adapter import Dialect, ranks, start
from .engine_options import EngineOptions
from .engine_start import EngineStart

GROUP_PORT = 29501
AFTER_DRAIN_S = 15.0
"""7 to 11 s were seen."""


def start_of(order: ReplicaOrder, options: EngineOptions, *, secrets: Mapping[str, str]) -> EngineStart:
    """The start of one replica; Misconfigured for one that lies over several instances."""
    return start(_VLLM, order, options, secrets)


def rank_commands(order: ReplicaOrder, options: EngineOptions, *, head: str) -> tuple[tuple[str, ...], ...]:
    """The command of each instance of a replica over several, the head's first: to be looked at, not run."""
    return ranks(_VLLM, order, options, head)


def _flags(order: ReplicaOrder, options: EngineOptions, model: str) -> tuple[str, ...]:
    flags, shape = order.flags, order.shape
    return (
        model,
        "--served-model-name", order.served_model,
        "--host", "127.0.0.1", "--port", "{port}",
        "--dtype", "auto",
        "--kv-cache-dtype", str(flags.kv_cache_dtype),
        "--max-model-len", str(flags.max_model_len),
        "--gpu-memory-utilization", f"{flags.gpu_memory_utilization:g}",
        "--max-num-seqs", str(flags.max_num_seqs),
        "--max-num-batched-tokens", str(flags.max_num_batched_tokens),
        "--tensor-parallel-size", str(shape.tp),
        "--pipeline-parallel-size", str(shape.pp),
        "--enable-prefix-caching", "--enable-chunked-prefill",
        "--shutdown-timeout", str(options.shutdown_s),
        "--no-enable-log-requests", "--disable-uvicorn-access-log",
        *(("--enforce-eager",) if flags.enforce_eager else ()),
        *(() if flags.async_scheduling else ("--no-async-scheduling",)),
    )  # fmt: skip


def _rank(order: ReplicaOrder, number: int, head: str) -> tuple[str, ...]:
    group = (
        "--nnodes", str(order.shape.instances), "--node-rank", str(number),
        "--master-addr", head, "--master-port", str(GROUP_PORT),
    )  # fmt: skip
    return (*group, "--headless") if number else group


_VLLM = Dialect(
    command=("vllm", "serve"),
    flags=_flags,
    rank=_rank,
    env={"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
    after_drain_s=AFTER_DRAIN_S,
)
