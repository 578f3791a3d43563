"""The start flags of an engine that decide what fits on a GPU and how its steps are filled."""

from dataclasses import dataclass

from bouted.catalog.precision import KvPrecision


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFlags:
    """The engine's start flags that decide what fits and how steps are filled, under vLLM's names.

    SGLang knows them as `context-length`, `mem-fraction-static`, `max-running-requests`,
    `chunked-prefill-size`, `kv-cache-dtype` and `disable-cuda-graph`. `gpu_memory_utilization` is the share
    of a GPU for everything in vLLM, for weights and KV cache alone in SGLang.
    """

    max_model_len: int
    gpu_memory_utilization: float = 0.9
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    kv_cache_dtype: KvPrecision = KvPrecision.AUTO
    enforce_eager: bool = False
    async_scheduling: bool = True
    """Prepare the next step while one runs: vLLM's default from 0.14 on."""
