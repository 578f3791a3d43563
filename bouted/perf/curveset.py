"""All curves there are, and which of them stand for a GPU: its own, or those of its nearest relative."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from statistics import median
from typing import Generic, TypeVar

import yaml
from pydantic import TypeAdapter

from bouted.catalog.gpus import GpuSpec
from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.curves import (
    DecodeCurve,
    ExpertCurve,
    GemmCurve,
    KernelCurve,
    Measured,
    PrefillCurve,
    ReduceCurve,
)

C = TypeVar("C", bound=Measured)
SAME_ARCHITECTURE = 0.3
"""Compute capabilities this near are of one architecture."""
BUS_POWERED_W = 75.0
"""What a slot gives: cards that live on it stop far below their peak, whatever their age."""
NO_CUDA = 99.0
"""Stands for the compute capability of GPUs that have none."""


@dataclass(frozen=True, slots=True)
class Found(Generic[C]):
    """A curve, and whether it was measured on the GPU that it was asked for."""

    curve: C
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Curves by operator. Look-ups never fail while each tuple has one entry of the wanted kind."""

    gemm: tuple[GemmCurve, ...]
    experts: tuple[ExpertCurve, ...]
    decode: tuple[DecodeCurve, ...]
    prefill: tuple[PrefillCurve, ...]
    reduce: tuple[ReduceCurve, ...]
    kernels: tuple[KernelCurve, ...]

    def without(self, *gpus: str) -> "Curves":
        """The curves that would be there had nobody measured these GPUs."""
        return replace(
            self,
            gemm=_without(self.gemm, gpus),
            experts=_without(self.experts, gpus),
            decode=_without(self.decode, gpus),
            prefill=_without(self.prefill, gpus),
            reduce=_without(self.reduce, gpus),
            kernels=_without(self.kernels, gpus),
        )

    def gemm_of(self, gpu: GpuSpec, precision: Precision) -> Found[GemmCurve]:
        """The curve of dense layers in the arithmetic of `precision`."""
        usable = tuple(curve for curve in self.gemm if curve.precision is precision)
        found = _typical(_nearest(usable, gpu, lambda c: True), usable, gpu)
        return found if precision is Precision.BF16 else self._as_powered(found, gpu)

    def experts_of(self, gpu: GpuSpec, precision: Precision) -> Found[ExpertCurve]:
        """The curve of experts whose weights are in `precision`."""
        return _nearest(self.experts, gpu, lambda c: c.precision is precision)

    def decode_of(self, gpu: GpuSpec, kv: KvPrecision) -> Found[DecodeCurve]:
        """The curve of attention while decoding."""
        return _nearest(self.decode, gpu, lambda c: c.kv is kv)

    def prefill_of(self, gpu: GpuSpec, kv: KvPrecision) -> Found[PrefillCurve]:
        """The curve of attention over prompts."""
        return _nearest(self.prefill, gpu, lambda c: c.kv is kv)

    def reduce_of(self, gpu: GpuSpec, gpus: int) -> Found[ReduceCurve]:
        """The curve of an all-reduce over `gpus`, of a GPU with the same kind of link."""
        return _nearest(self.reduce, gpu, lambda c: c.gpus == gpus and c.link is gpu.link)

    def kernels_of(self, gpu: GpuSpec) -> Found[KernelCurve]:
        """The curve of small kernels."""
        return _nearest(self.kernels, gpu, lambda c: True)

    def _as_powered(self, found: Found[GemmCurve], gpu: GpuSpec) -> Found[GemmCurve]:
        """Where a card lends that has power to spare: less, as in 16 bits."""
        curve = found.curve
        if found.own or (curve.watts <= BUS_POWERED_W) is (gpu.watts <= BUS_POWERED_W):
            return found
        mine = self.gemm_of(gpu, Precision.BF16).curve.flops_share
        lenders = next(
            c.flops_share for c in self.gemm if (c.gpu, c.precision) == (curve.gpu, Precision.BF16)
        )
        return Found(replace(curve, flops_share=curve.flops_share * min(1.0, mine / lenders)), own=False)


@cache
def shipped_curves() -> Curves:
    """The curves that ship."""
    body = (files("bouted.perf") / "data" / "curves.yaml").read_text(encoding="utf-8")
    return TypeAdapter(Curves).validate_python(
        yaml.load(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    )


def _typical(found: Found[GemmCurve], curves: tuple[GemmCurve, ...], gpu: GpuSpec) -> Found[GemmCurve]:
    """A curve borrowed from another architecture: its share of the peak is the median of all alike.

    How much of its FLOP/s a GPU reaches varies more between architectures than it follows them.
    """
    curve = found.curve
    if found.own or _distance(curve, gpu) <= SAME_ARCHITECTURE:
        return found
    share = median(c.flops_share for c in _of_class(curves, gpu))
    return Found(replace(curve, flops_share=share), own=False)


def _without(curves: tuple[C, ...], gpus: tuple[str, ...]) -> tuple[C, ...]:
    return tuple(curve for curve in curves if curve.gpu not in gpus)


def _nearest(curves: tuple[C, ...], gpu: GpuSpec, fits: Callable[[C], bool]) -> Found[C]:
    """The GPU's own curve, else that of the nearest compute capability in its class of power."""
    usable = tuple(curve for curve in curves if fits(curve))
    own = next((curve for curve in usable if curve.gpu == gpu.name), None)
    if own is not None:
        return Found(own, own=True)
    return Found(min(_of_class(usable, gpu), key=lambda c: (_distance(c, gpu), c.gpu)), own=False)


def _of_class(curves: tuple[C, ...], gpu: GpuSpec) -> tuple[C, ...]:
    """Those of GPUs that live on as much power, all where there is none."""
    alike = tuple(c for c in curves if (c.watts <= BUS_POWERED_W) is (gpu.watts <= BUS_POWERED_W))
    return alike or curves


def _distance(curve: Measured, gpu: GpuSpec) -> float:
    return abs(curve.capability - (gpu.compute_capability or NO_CUDA))
