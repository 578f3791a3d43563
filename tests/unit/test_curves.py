"""Which fitted curves stand for which GPU, and that what ships is whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.catalog.gpus import GpuSpec, Link
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import KvPrecision, Precision
from bouted.perf.curves import Measured
from bouted.perf.curveset import BUS_POWERED_W, shipped_curves

CURVES = shipped_curves()
GPUS = {gpu.name: gpu for gpu in load_catalog().gpus}
SIDES = st.integers(256, 65536)


def gemm_s(gpu: GpuSpec, precision: Precision, m: float, n: float, k: float) -> float:
    curve = CURVES.gemm_of(gpu, precision).curve
    return curve.seconds(m, n, k, moved=2 * (n * k + m * k + m * n), bandwidth=1e12, flops=1e14)


@pytest.mark.parametrize("name", sorted(GPUS))
def test_every_gpu_of_the_catalog_has_every_curve(name: str) -> None:
    gpu = GPUS[name]
    for precision in (Precision.BF16, Precision.FP8, Precision.NVFP4):
        assert 0 < CURVES.gemm_of(gpu, precision).curve.flops_share <= 1.1
    for precision in Precision:
        assert CURVES.experts_of(gpu, precision).curve.bandwidth_share > 0
    for kv in KvPrecision:
        assert CURVES.decode_of(gpu, kv).curve.kv is kv
        assert CURVES.prefill_of(gpu, kv).curve.kv is kv
    for gpus in (2, 4, 8):
        assert CURVES.reduce_of(gpu, gpus).curve.link is gpu.link
    assert CURVES.kernels_of(gpu).curve.start_us > 0


@pytest.mark.parametrize(
    ("gpu", "lender"),
    [
        ("A100-40GB", "A100-80GB"),
        ("RTX4090", "L40S"),
        ("A6000", "A40"),
        ("A10G", "A40"),
        ("RTX5090", "RTXPRO6000"),
    ],
)
def test_a_gpu_nobody_measured_borrows_from_its_architecture(gpu: str, lender: str) -> None:
    found = CURVES.gemm_of(GPUS[gpu], Precision.BF16)
    assert (found.own, found.curve.gpu) == (False, lender)
    assert found.curve == CURVES.gemm_of(GPUS[lender], Precision.BF16).curve


def test_cards_that_live_on_the_slots_power_borrow_from_each_other() -> None:
    without = CURVES.without("T4")
    assert without.gemm_of(GPUS["T4"], Precision.BF16).curve.gpu == "L4"
    assert GPUS["T4"].watts <= BUS_POWERED_W


def test_a_card_on_the_slots_power_is_held_below_its_peak_in_every_arithmetic() -> None:
    card, lender = (CURVES.gemm_of(GPUS[name], Precision.FP8) for name in ("L4", "L40S"))
    assert (card.curve.gpu, lender.own) == ("L40S", True)
    assert card.curve.flops_share < 0.75 * lender.curve.flops_share


def test_without_a_gpu_none_of_its_curves_is_left() -> None:
    left = CURVES.without("H100-80GB")
    every: list[Measured] = [
        *left.gemm,
        *left.experts,
        *left.decode,
        *left.prefill,
        *left.reduce,
        *left.kernels,
    ]
    assert {curve.gpu for curve in every} & {"H100-80GB"} == set()
    assert left.gemm_of(GPUS["H100-80GB"], Precision.FP8).curve.gpu == "H200"


def test_pcie_cards_never_borrow_nvlink() -> None:
    cards = [gpu for gpu in GPUS.values() if gpu.link is Link.PCIE]
    assert cards
    assert all(CURVES.reduce_of(gpu, 4).curve.link is Link.PCIE for gpu in cards)


@given(
    gpu=st.sampled_from(sorted(GPUS)), m=st.integers(1, 16384), n=SIDES, k=SIDES, more=st.integers(1, 4096)
)
def test_a_larger_product_never_takes_less_time(gpu: str, m: int, n: int, k: int, more: int) -> None:
    once = gemm_s(GPUS[gpu], Precision.BF16, m, n, k)
    assert gemm_s(GPUS[gpu], Precision.BF16, m + more, n, k) >= once
    assert gemm_s(GPUS[gpu], Precision.BF16, m, n + more, k) >= once
    assert gemm_s(GPUS[gpu], Precision.BF16, m, n, k + more) >= once


def test_the_shipped_fits_say_how_far_they_are_off() -> None:
    every: list[Measured] = [*CURVES.gemm, *CURVES.experts, *CURVES.prefill]
    assert all(0 < curve.error < 0.2 and curve.cells >= 25 for curve in every), [
        (curve.gpu, curve.error) for curve in every if curve.error >= 0.2
    ]
