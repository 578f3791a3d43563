"""What an engine step costs on a given layout: a roofline whose two efficiencies were measured.

Fixed costs come from the measured tables that the catalog's efficiencies come from: the time per step
that is left at zero bytes, and all-reduce latencies by message size. The engine (vLLM or SGLang) does not
change a figure: they differ by less than the spread. Tensor parallelism divides weights, arithmetic and
KV heads, and pays two all-reduces per layer. Pipeline stages run one after another, with no overlap:
safe, and too slow for a replica with many requests in flight.

Time to first token is the engine's alone: served runs add some 30 ms of front end, which is not modelled.
"""

from bouted.catalog.gpus import Evidence, GpuSpec, Link
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import Precision
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.memory import BATCH_SEQS, STEP_TOKENS, kv_bytes_per_gpu, weight_bytes
from bouted.perf.shapes import Fit, ReplicaShape

ENGINE_S = 0.5e-3
"""Scheduling and sampling per step, whatever the model."""
LAYER_S = 16e-6
"""Kernel launches and small kernels per layer and step; with ENGINE_S 1.0 ms for 32 layers."""
ALL_REDUCE_S = {Link.NVLINK: 7e-6, Link.PCIE: 30e-6}
"""Seconds of one small all-reduce inside a CUDA graph."""
GROUP_S = 1.2e-3
"""Handing a step to several worker processes and back; kernel tables lack it, served runs show 1 to 2 ms."""
STAGE_HOP_S = 100e-6
"""Handing a step to the next pipeline stage."""
DECODE_SEQS = 32
"""Sequences of a usual decode step: their all-reduce is not hidden behind the weights."""

SPREAD = {
    Evidence.MEASURED: 0.15,
    Evidence.LEARNED: 0.15,
    Evidence.INTERPOLATED: 0.20,
    Evidence.EXTRAPOLATED: 0.30,
    Evidence.ROOFLINE: 0.40,
}
WIDE_PCIE_SPREAD = 0.15
"""Added beyond two GPUs on PCIe, where measured all-reduces disagree by several times."""


def step_costs(model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape, fit: Fit) -> StepCosts:
    """The step costs of a layout that `fits` accepted."""
    bytes_per_s = gpu.bandwidth_gb_per_s * 1e9 * gpu.decode_efficiency
    link = _link_s_per_token(model, gpu, shape)
    reduces = 2 * model.layers * ALL_REDUCE_S[gpu.link] if shape.tp > 1 else 0.0
    evidence = _evidence(gpu, shape)
    return roofline(
        overhead_s=ENGINE_S
        + model.layers * LAYER_S
        + reduces
        + DECODE_SEQS * link
        + (GROUP_S if shape.gpu_count > 1 else 0.0)
        + (shape.pp - 1) * STAGE_HOP_S,
        weights_s=weight_bytes(model, shape.precision) / shape.tp / bytes_per_s,
        compute_s_per_token=2e9 * model.params_b / (shape.tp * _flops(gpu, shape.precision)) + link,
        kv_s_per_token=shape.pp * kv_bytes_per_gpu(model, shape) / bytes_per_s,
        kv_capacity_tokens=fit.kv_capacity_tokens,
        max_batch=BATCH_SEQS,
        max_step_tokens=STEP_TOKENS,
        evidence=evidence,
        spread=SPREAD[evidence] + (WIDE_PCIE_SPREAD if gpu.link is Link.PCIE and shape.tp > 2 else 0.0),
    )


def _flops(gpu: GpuSpec, precision: Precision) -> float:
    """FLOP/s reached on one GPU; `fits` has refused fp8 where there is none."""
    peak = gpu.fp8_tflops if precision is Precision.FP8 and gpu.fp8_tflops else gpu.bf16_tflops
    return peak * 1e12 * gpu.prefill_efficiency


def _link_s_per_token(model: ModelSpec, gpu: GpuSpec, shape: ReplicaShape) -> float:
    """Seconds on the link that each token of a step adds: ring all-reduces and stage hand-overs.

    PCIe cards share their way to the host: beyond two, each gets `2 / tp` of its link.
    """
    shared = min(1.0, 2 / shape.tp) if gpu.link is Link.PCIE else 1.0
    ring = 2 * model.layers * 2 * (shape.tp - 1) / shape.tp
    moved = 2 * model.hidden * (ring + shape.pp - 1)
    return moved / (gpu.link_gb_per_s * 1e9 * shared)


def _evidence(gpu: GpuSpec, shape: ReplicaShape) -> Evidence:
    """A measured GPU in a way in which it was not measured (fp8, pipeline stages) is extrapolated."""
    beyond = shape.precision is Precision.FP8 or shape.pp > 1
    return Evidence.EXTRAPOLATED if beyond and gpu.evidence is Evidence.MEASURED else gpu.evidence
