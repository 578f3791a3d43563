"""Seconds of each part of an engine step, for one model laid out on one kind of GPU.

Everything is per GPU of a tensor-parallel group and through all layers, so through all pipeline stages.
"""

from dataclasses import dataclass

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.models import ModelSpec
from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.curves import US
from bouted.perf.curveset import Curves
from bouted.perf.operators import expert_bytes, gemms, kv_width, pair_flops, query_heads, visited

KERNELS_PER_LAYER = 5
"""Small kernels of a layer once vLLM has fused them: two norms, rotary, cache write, activation."""
LAUNCHES_PER_LAYER = 10
"""Operators of a layer that the host starts one by one outside of CUDA graphs."""
SAMPLING_PASSES = 4
"""Times that sampling reads or writes 32-bit logits."""
BETWEEN_INSTANCES_GB_PER_S = 1.25
"""10 Gbit/s: the most that one flow gets between EC2 instances of a placement group. Others may be faster."""
BETWEEN_INSTANCES_S = 50e-6
"""One message over TCP inside a data centre. Assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A model in `precision` over `tp` x `pp` GPUs on `instances` instances, with the curves that hold."""

    model: ModelSpec
    gpu: GpuSpec
    tp: int
    pp: int
    precision: Precision
    kv: KvPrecision
    curves: Curves
    instances: int = 1

    @property
    def bandwidth(self) -> float:
        """Bytes/s."""
        return self.gpu.bandwidth_gb_per_s * 1e9

    def flops(self, arithmetic: Precision) -> float:
        """Peak FLOP/s in this arithmetic."""
        peaks = {Precision.FP8: self.gpu.fp8_tflops, Precision.NVFP4: self.gpu.fp4_tflops}
        return (peaks.get(arithmetic) or self.gpu.bf16_tflops) * 1e12

    @property
    def arithmetic(self) -> Precision:
        """What dense layers are computed in: 16-bit where the GPU cannot do better."""
        able = {Precision.FP8: self.gpu.fp8_tflops, Precision.NVFP4: self.gpu.fp4_tflops}
        return self.precision if able.get(self.precision) else Precision.BF16

    def dense_s(self, tokens: float) -> float:
        """All dense layers."""
        return sum(
            gemm.count * self.gemm_s(tokens, gemm.n, gemm.k, low=gemm.low)
            for gemm in gemms(self.model, self.tp)
        )

    def gemm_s(self, m: float, n: float, k: float, *, low: bool) -> float:
        """One dense layer; only `low` ones are quantised, and in MXFP4 none is."""
        quantised = low and self.precision is not Precision.MXFP4
        arithmetic = self.arithmetic if quantised else Precision.BF16
        weight = self.precision.element_bytes if quantised else 2.0
        activation = arithmetic.element_bytes
        return self.curves.gemm_of(self.gpu, arithmetic).curve.seconds(
            m,
            n,
            k,
            moved=weight * n * k + activation * m * k + 2 * m * n,
            bandwidth=self.bandwidth,
            flops=self.flops(arithmetic),
        )

    def experts_s(self, tokens: float) -> float:
        """All layers of experts; 0 in dense models."""
        experts = self.model.experts
        if experts is None:
            return 0.0
        seen = visited(experts, tokens)
        visits = tokens * experts.per_token
        weight = self.precision.element_bytes
        arithmetic = self.arithmetic if self.precision is not Precision.MXFP4 else Precision.BF16
        hidden = self.model.hidden
        one = self.curves.experts_of(self.gpu, self.precision).curve.seconds(
            visits=visits,
            experts=seen,
            hidden=hidden,
            moved=seen * expert_bytes(experts, hidden, self.tp, weight),
            work=6 * visits * hidden * experts.intermediate / self.tp,
            peaks=(self.bandwidth, self.flops(arithmetic)),
        )
        return (self.model.layers - experts.dense_layers) * one

    def kernels_s(self, tokens: float) -> float:
        """Norms, rotary embedding, cache write, activation."""
        curve = self.curves.kernels_of(self.gpu).curve
        wide = 0.0 if self.model.experts else self.model.intermediate / self.tp
        heads = query_heads(self.model, self.tp) * self.model.head_dim
        moved = 16 * self.model.hidden + 6 * wide + 4 * (heads + kv_width(self.model, self.tp))
        start = KERNELS_PER_LAYER * curve.start_us * US
        return self.model.layers * (start + tokens * moved / (self.bandwidth * curve.bandwidth_share))

    def reduce_s(self, tokens: float) -> float:
        """Two all-reduces a layer, and what pipeline stages hand on."""
        message = 2 * self.model.hidden * tokens
        hops = self._hops_s(message)
        if self.tp == 1:
            return hops
        return 2 * self.model.layers * self.all_reduce_s(message) + hops

    def _hops_s(self, message_bytes: float) -> float:
        """From stage to stage: within an instance over its link, between instances over the network."""
        across = self.instances - 1
        within = self.pp - 1 - across
        launch_s = self.curves.kernels_of(self.gpu).curve.launch_us * US
        network_s = BETWEEN_INSTANCES_S + message_bytes / (BETWEEN_INSTANCES_GB_PER_S * 1e9)
        return within * (launch_s + message_bytes / self._link) + across * (launch_s + network_s)

    def all_reduce_s(self, message_bytes: float) -> float:
        """One all-reduce over the tensor-parallel group, inside a CUDA graph."""
        curve = self.curves.reduce_of(self.gpu, self.tp).curve
        return (curve.start_us + curve.us_per_mb * message_bytes / 1e6) * US

    def launch_s(self) -> float:
        """What the host needs to start a step operator by operator, which no GPU can undercut."""
        return self.model.layers * LAUNCHES_PER_LAYER * self.curves.kernels_of(self.gpu).curve.launch_us * US

    def head_s(self, sequences: float) -> float:
        """The output head and sampling of `sequences` next tokens."""
        vocab = self.model.vocab / self.tp
        logits = SAMPLING_PASSES * 4 * sequences * self.model.vocab / self.bandwidth
        return self.gemm_s(sequences, vocab, self.model.hidden, low=False) + logits

    def decode_start_s(self) -> float:
        """Attention's start in all layers."""
        return self.model.layers * self.curves.decode_of(self.gpu, self.kv).curve.start_us * US

    def decode_seq_s(self) -> float:
        """Attention's share of one sequence, and the windows it reads in layers that have one."""
        curve = self.curves.decode_of(self.gpu, self.kv).curve
        heads = query_heads(self.model, self.tp) * curve.head_ns * 1e-9
        window = self.model.window
        near = window.layers * window.tokens * self._kv_read_s() if window else 0.0
        return self.model.layers * heads + near

    def decode_kv_s(self) -> float:
        """One token of context, in the layers that read all of it."""
        return self._full_layers * self._kv_read_s()

    def pair_s(self) -> float:
        """One (prompt token, earlier token) pair, in the layers that attend to everything."""
        return self._full_layers * self._pair_s()

    def prompt_token_s(self) -> float:
        """What attention adds for one prompt token: moving it, and its pairs within windows."""
        curve = self.curves.prefill_of(self.gpu, self.kv).curve
        heads = query_heads(self.model, self.tp) * self.model.head_dim
        moved = 2 * (2 * heads + kv_width(self.model, self.tp))
        window = self.model.window
        near = window.layers * window.tokens * self._pair_s() if window else 0.0
        return self.model.layers * moved / (self.bandwidth * curve.bandwidth_share) + near

    @property
    def own(self) -> bool:
        """Whether everything was measured on this very GPU, in this arithmetic."""
        found = [
            self.curves.gemm_of(self.gpu, self.arithmetic).own,
            self.curves.decode_of(self.gpu, self.kv).own,
            self.curves.prefill_of(self.gpu, self.kv).own,
        ]
        if self.tp > 1:
            found.append(self.curves.reduce_of(self.gpu, self.tp).own)
        if self.model.experts is not None:
            found.append(self.curves.experts_of(self.gpu, self.precision).own)
        return all(found)

    @property
    def _full_layers(self) -> int:
        return self.model.layers - (self.model.window.layers if self.model.window else 0)

    @property
    def _link(self) -> float:
        return self.gpu.link_gb_per_s * 1e9

    def _kv_read_s(self) -> float:
        share = self.curves.decode_of(self.gpu, self.kv).curve.bandwidth_share
        return kv_width(self.model, self.tp) * self.kv.element_bytes / (self.bandwidth * share)

    def _pair_s(self) -> float:
        curve = self.curves.prefill_of(self.gpu, self.kv).curve
        return pair_flops(self.model, self.tp) / (self.flops(Precision.BF16) * curve.flops_share)
