"""The flags that an engine starts with when nobody sets them: they depend on the GPU.

vLLM: `EngineArgs.get_batch_defaults` for its API server. SGLang: `ServerArgs._handle_gpu_memory_settings`.
"""

from bouted.catalog.gpus import GpuSpec
from bouted.perf.flags import EngineFlags
from bouted.perf.shapes import Engine

BIG_GPU_GIB = 70.0
"""vLLM fills larger steps from here on, but on an A100, where that lost throughput."""
SGLANG_SEQS = 2048
"""Least of SGLang's own bounds on running requests."""
SGLANG_STEPS = ((20.0, 2048, 8, 8), (35.0, 2048, 24, 80), (60.0, 4096, 32, 160), (160.0, 8192, 256, 512))
"""Up to so many GiB: tokens of a prefill chunk, largest CUDA graph below tp 4, and from there on."""
SGLANG_LARGEST = (16384, 512, 512)


def default_flags(
    engine: Engine, gpu: GpuSpec, context_tokens: int, *, tp: int = 1, pp: int = 1
) -> EngineFlags:
    """What `engine` chooses on `gpu` when it is told only that requests have up to `context_tokens`."""
    if engine is Engine.SGLANG:
        return _sglang(gpu, context_tokens, tp, pp)
    big = gpu.memory_gib >= BIG_GPU_GIB and "A100" not in gpu.name.upper()
    tokens, seqs = (8192, 1024) if big else (2048, 256)
    tokens = min(tokens, seqs * context_tokens)
    return EngineFlags(
        max_model_len=context_tokens, max_num_seqs=min(seqs, tokens), max_num_batched_tokens=tokens
    )


def _sglang(gpu: GpuSpec, context_tokens: int, tp: int, pp: int) -> EngineFlags:
    chunk, small_graph, large_graph = SGLANG_LARGEST
    for below_gib, *row in SGLANG_STEPS:
        if gpu.memory_gib < below_gib:
            chunk, small_graph, large_graph = row
            break
    graph = small_graph if tp < 4 else large_graph
    reserved_mib = 512 + 1.5 * chunk + 2 * graph + tp * pp / 8 * 1024
    if gpu.memory_gib > 60:
        reserved_mib = max(reserved_mib, 10 * 1024)
    memory_mib = 1024 * gpu.memory_gib
    return EngineFlags(
        max_model_len=context_tokens,
        gpu_memory_utilization=round((memory_mib - reserved_mib) / memory_mib, 3),
        max_num_seqs=SGLANG_SEQS,
        max_num_batched_tokens=chunk,
    )
