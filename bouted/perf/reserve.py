"""What an engine takes on each GPU beside weights and KV cache.

The constants are from vLLM's start-up logs, rounded up; the rest is the peak of the step that it runs at
start to find out: `max_num_batched_tokens` tokens of `max_num_seqs` requests.
"""

from bouted.catalog.models import ModelSpec
from bouted.perf.flags import EngineFlags

GIB = 2.0**30
FRAMEWORK_GIB = 0.6
"""CUDA context, libraries and allocator slack."""
GRAPHS_GIB = 0.7
"""Captured CUDA graphs up to the largest batch."""
COLLECTIVES_GIB = 0.4
"""NCCL and custom all-reduce buffers, in a group of two or more."""


def standing_gib(tp: int, pp: int) -> float:
    """What is taken before the model is loaded."""
    return FRAMEWORK_GIB + (COLLECTIVES_GIB if tp * pp > 1 else 0.0)


def step_gib(model: ModelSpec, flags: EngineFlags, tp: int) -> float:
    """The peak of one step, and the CUDA graphs unless `enforce_eager`."""
    tokens, width = flags.max_num_batched_tokens, 3 * model.intermediate / tp
    if model.experts is not None:
        routed = model.experts.per_token * (model.hidden + 3 * model.experts.intermediate / tp)
        width = routed + 3 * model.experts.shared_intermediate / tp
    activations = tokens * 2 * (4 * model.hidden + width)
    logits = min(flags.max_num_seqs, tokens) * 4 * model.vocab
    graphs = 0.0 if flags.enforce_eager else GRAPHS_GIB
    return graphs + (activations + logits) / GIB
