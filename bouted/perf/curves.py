"""What single operators take on one GPU: fitted forms, in shares of the datasheet's peaks.

Each form is a roofline with a start. Its coefficients are fitted to operator tables that others measured
and kept in `data/curves.yaml` with their source, the number of cells and the median error of the fit.
Shares of peaks, not seconds, so that a GPU which nobody measured can borrow its nearest relative's.
"""

from dataclasses import dataclass

from bouted.catalog.gpus import Link
from bouted.catalog.precision import KvPrecision, Precision

US = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Where a curve comes from. `capability` is the GPU's compute capability, `error` the median one.

    `watts` is the GPU's power limit.
    """

    gpu: str
    capability: float
    watts: float
    source: str
    cells: int
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmCurve(Measured):
    """A dense layer, `m x k` by `k x n`.

    `start + (memory ** p + arithmetic ** p) ** (1 / p)` with `p` the `sharpness` of the roofline's knee.
    Arithmetic slows by `1 + m_half / m` and `1 + n_half / n + k_half / k` on small sides.
    """

    precision: Precision
    start_us: float
    bandwidth_share: float
    flops_share: float
    sharpness: float
    m_half: float
    n_half: float
    k_half: float

    def seconds(self, m: float, n: float, k: float, *, moved: float, bandwidth: float, flops: float) -> float:
        """Seconds; `moved` bytes, peaks in bytes/s and FLOP/s."""
        memory = moved / (bandwidth * self.bandwidth_share)
        small = (1 + self.m_half / m) * (1 + self.n_half / n + self.k_half / k)
        arithmetic = 2 * m * n * k / (flops * self.flops_share) * small
        return self.start_us * US + _knee(memory, arithmetic, self.sharpness)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertCurve(Measured):
    """The experts of one layer, added up: a start, reading those that are visited, arithmetic, visits.

    A visit is one token at one expert. `expert_us` is what each visited expert costs beside its bytes,
    `visit_ns` what sorting a token there and back takes, per 1000 elements of it.
    """

    precision: Precision
    start_us: float
    expert_us: float
    visit_ns: float
    bandwidth_share: float
    flops_share: float

    def seconds(
        self,
        *,
        visits: float,
        experts: float,
        hidden: float,
        moved: float,
        work: float,
        peaks: tuple[float, float],
    ) -> float:
        """Seconds for `work` FLOPs over `moved` bytes of weights; `peaks` are bytes/s and FLOP/s."""
        bandwidth, flops = peaks
        fixed = (self.start_us + experts * self.expert_us) * US + visits * hidden * self.visit_ns * 1e-12
        return fixed + moved / (bandwidth * self.bandwidth_share) + work / (flops * self.flops_share)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCurve(Measured):
    """Attention of sequences that decode, one layer: a start, each sequence's query heads, the KV read."""

    kv: KvPrecision
    start_us: float
    head_ns: float
    bandwidth_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillCurve(Measured):
    """Attention of prompt tokens, one layer: arithmetic over pairs, and moving queries, keys and values."""

    kv: KvPrecision
    flops_share: float
    bandwidth_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceCurve(Measured):
    """One all-reduce over `gpus`: a start inside a CUDA graph, and microseconds per 10^6 bytes of message."""

    gpus: int
    link: Link
    start_us: float
    us_per_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCurve(Measured):
    """Small kernels (norms, activations, quantisation): a start inside a CUDA graph, bytes beyond it.

    `launch_us` is what the host needs for one operator outside of graphs.
    """

    start_us: float
    bandwidth_share: float
    launch_us: float


def _knee(a: float, b: float, p: float) -> float:
    """A smooth maximum: the larger of the two, and up to 2 ** (1 / p) times that where they are equal."""
    top = max(a, b)
    return top * float((min(a, b) / top) ** p + 1) ** (1 / p) if top > 0 else 0.0
