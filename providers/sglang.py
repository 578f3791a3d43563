"""SGLang: what it takes to serve a replica with it. Flags are those of 0.5.23.

After SIGTERM it says 503 on /health, goes on taking requests, and ends when none is left, however long that
takes; so whoever stops it stops routing first and bounds the wait.
"""

from collections.abc import Mapping

from bouted.catalog.precision import KvPrecision
from bouted.reconcile.launcher import ReplicaOrder

from .engine_adapter import Dialect, ranks, start
from .engine_options import EngineOptions
from .engine_start import EngineStart

GROUP_PORT = 29501
AFTER_DRAIN_S = 20.0
"""It looks every 5 s whether it is to end and whether requests are left, and then ends its children."""
_KV = {KvPrecision.AUTO: "auto", KvPrecision.FP8: "fp8_e4m3"}
_NO_GRAPHS = ("--cuda-graph-backend-decode", "disabled", "--cuda-graph-backend-prefill", "disabled")


def start_of(order: ReplicaOrder, options: EngineOptions, *, secrets: Mapping[str, str]) -> EngineStart:
    """The start of one replica; Misconfigured for one that lies over several instances."""
    return start(_SGLANG, order, options, secrets)


def rank_commands(order: ReplicaOrder, options: EngineOptions, *, head: str) -> tuple[tuple[str, ...], ...]:
    """The command of each instance of a replica over several, the head's first: to be looked at, not run."""
    return ranks(_SGLANG, order, options, head)


def _flags(order: ReplicaOrder, options: EngineOptions, model: str) -> tuple[str, ...]:
    """Prefixes are cached unless it is told not to; requests are logged only where it is told to."""
    flags, shape = order.flags, order.shape
    return (
        "--model-path", model,
        "--served-model-name", order.served_model,
        "--host", "127.0.0.1", "--port", "{port}",
        "--dtype", "auto",
        "--kv-cache-dtype", _KV[flags.kv_cache_dtype],
        "--context-length", str(flags.max_model_len),
        "--mem-fraction-static", f"{flags.gpu_memory_utilization:g}",
        "--max-running-requests", str(flags.max_num_seqs),
        "--chunked-prefill-size", str(flags.max_num_batched_tokens),
        "--tp-size", str(shape.tp),
        "--pp-size", str(shape.pp),
        "--enable-metrics", "--log-level-http", "warning",
        *(_NO_GRAPHS if flags.enforce_eager else ()),
        *(() if flags.async_scheduling else ("--disable-overlap-schedule",)),
    )  # fmt: skip


def _rank(order: ReplicaOrder, number: int, head: str) -> tuple[str, ...]:
    return (
        "--nnodes", str(order.shape.instances), "--node-rank", str(number),
        "--dist-init-addr", f"{head}:{GROUP_PORT}",
    )  # fmt: skip


_SGLANG = Dialect(
    command=("sglang", "serve", "--model-type", "llm"),
    flags=_flags,
    rank=_rank,
    env={},
    after_drain_s=AFTER_DRAIN_S,
)
