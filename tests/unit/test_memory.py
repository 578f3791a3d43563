"""Which layouts start: the arithmetic against cases worked out by hand, and its laws over the catalog."""

from dataclasses import replace
from itertools import product

import pytest

from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.perf.memory import fits, kv_bytes_per_gpu, least_memory_gib, weight_bytes
from bouted.perf.shapes import Engine, Fit, Refusal, ReplicaShape

CATALOG = load_catalog()
BF16, FP8 = Precision.BF16, Precision.FP8
CONTEXT = 8192


def a_layout(model: str, gpu: str, tp: int = 1, precision: Precision = BF16, pp: int = 1) -> ReplicaShape:
    return ReplicaShape(model=model, gpu=gpu, tp=tp, pp=pp, precision=precision, engine=Engine.VLLM)


def outcome(shape: ReplicaShape, context: int = CONTEXT, min_kv: int = 0) -> Fit | Refusal:
    model, gpu = CATALOG.model(shape.model), CATALOG.gpu(shape.gpu)
    return fits(model, gpu, shape, context_tokens=context, min_kv_tokens=min_kv)


def every_layout() -> tuple[ReplicaShape, ...]:
    grid = product(CATALOG.models, CATALOG.gpus, (1, 2, 3, 4, 8, 16), (1, 2, 3), (BF16, FP8))
    return tuple(a_layout(m.name, g.name, tp, precision, pp) for m, g, tp, pp, precision in grid)


@pytest.mark.parametrize(
    ("model", "gpu", "tp", "precision"),
    [
        ("llama-3.1-8b", "L4", 1, BF16),  # 16 GB of weights in 20 usable
        ("llama-3.1-8b", "H100-80GB", 1, BF16),
        ("llama-3.1-8b", "T4", 2, BF16),
        ("qwen3-32b", "A100-80GB", 1, BF16),  # 66 GB in 77
        ("qwen3-32b", "L40S", 2, BF16),
        ("llama-3.1-70b", "H100-80GB", 2, BF16),  # 141 GB over two leaves room for 25,000 tokens
        ("llama-3.1-70b", "H200", 2, BF16),
        ("llama-3.1-70b", "H200", 1, FP8),
        ("llama-3.1-70b", "B200", 1, BF16),
        ("llama-3.1-70b", "L40S", 4, BF16),
    ],
)
def test_a_layout_that_has_room_fits(model: str, gpu: str, tp: int, precision: Precision) -> None:
    fit = outcome(a_layout(model, gpu, tp, precision))
    assert isinstance(fit, Fit)
    assert fit.kv_capacity_tokens >= CONTEXT


@pytest.mark.parametrize(
    ("model", "gpu", "tp", "precision", "says"),
    [
        ("llama-3.1-8b", "T4", 1, BF16, "needs 15.0 GiB for weights"),
        ("llama-3.1-70b", "H100-80GB", 1, BF16, "needs 131.4 GiB for weights + 2.5 GiB KV on 1 x "),
        ("llama-3.1-70b", "H100-80GB", 1, FP8, "needs 67.7 GiB for weights"),
        ("llama-3.1-70b", "H200", 1, BF16, "needs 131.4 GiB"),
        ("llama-3.1-70b", "L40S", 2, BF16, " on 2 x "),
        ("qwen3-32b", "L40S", 1, BF16, "needs 61.0 GiB"),
        ("llama-3.1-8b", "A100-80GB", 1, FP8, "A100-80GB has no fp8 arithmetic"),
        ("llama-3.1-8b", "A10G", 1, FP8, "A10G has no fp8 arithmetic"),
        ("qwen2.5-7b", "H100-80GB", 8, BF16, "28 attention heads do not divide by tp 8"),
        ("llama-3.1-8b", "H100-80GB", 3, BF16, "32 attention heads do not divide by tp 3"),
        ("llama-3.1-70b", "H100-80GB", 16, BF16, "tp 16 is more than the 8 GPUs that H100-80GB links fast"),
        ("llama-3.1-8b", "L4", 8, BF16, "tp 8 is more than the 4 GPUs that L4 links fast"),
    ],
)
def test_a_layout_that_cannot_start_is_refused_with_its_reason(
    model: str, gpu: str, tp: int, precision: Precision, says: str
) -> None:
    refused = outcome(a_layout(model, gpu, tp, precision))
    assert isinstance(refused, Refusal)
    assert says in refused.reason


def test_kv_heads_must_divide_over_the_group_or_repeat_evenly() -> None:
    gpu = replace(CATALOG.gpu("H100-80GB"), max_fast_group=16)
    model = replace(CATALOG.model("llama-3.1-8b"), heads=48, kv_heads=8)
    shape = a_layout(model.name, gpu.name, 12)
    refused = fits(model, gpu, shape, context_tokens=CONTEXT, min_kv_tokens=0)
    assert refused == Refusal(reason="8 KV heads neither divide by tp 12 nor repeat evenly over it")
    repeated = a_layout(model.name, gpu.name, 16)
    assert isinstance(fits(model, gpu, repeated, context_tokens=CONTEXT, min_kv_tokens=0), Fit)
    assert kv_bytes_per_gpu(model, repeated) == kv_bytes_per_gpu(model, replace(repeated, tp=8))


def test_layers_must_divide_over_the_stages() -> None:
    refused = outcome(a_layout("llama-3.1-8b", "H100-80GB", pp=3))
    assert refused == Refusal(reason="32 layers do not divide by pp 3")


def test_a_context_beyond_what_the_model_was_made_for_is_refused() -> None:
    shape = a_layout("qwen2.5-32b", "H200")
    assert isinstance(outcome(shape, context=32768), Fit)
    refused = outcome(shape, context=32769)
    assert refused == Refusal(reason="32769 tokens of context is more than the 32768 of qwen2.5-32b")


def test_the_kv_cache_must_hold_what_is_asked_of_it_and_not_a_token_less() -> None:
    shape = a_layout("llama-3.1-8b", "L4")
    fit = outcome(shape)
    assert isinstance(fit, Fit)
    assert outcome(shape, min_kv=fit.kv_capacity_tokens) == fit
    assert isinstance(outcome(shape, min_kv=fit.kv_capacity_tokens + 1), Refusal)


def test_bytes_of_a_model_are_those_of_its_published_shape() -> None:
    model = CATALOG.model("llama-3.1-8b")
    assert weight_bytes(model, BF16) == pytest.approx(16.06e9)
    assert weight_bytes(model, FP8) == pytest.approx(8.03e9 + 2 * 128256 * 4096)
    shape = a_layout(model.name, "H100-80GB")
    assert kv_bytes_per_gpu(model, shape) == model.kv_bytes_per_token() == 131072
    assert kv_bytes_per_gpu(model, replace(shape, tp=2)) == 65536
    assert kv_bytes_per_gpu(model, replace(shape, pp=2)) == 65536


def test_every_layout_of_the_catalog_fits_within_its_gpu_or_says_why_not_in_one_line() -> None:
    fitting = 0
    for shape in every_layout():
        answer = outcome(shape)
        if isinstance(answer, Refusal):
            assert answer.reason.strip(), shape.id
            assert len(answer.reason.splitlines()) == 1, shape.id
            assert len(answer.reason) < 150, shape.id
            continue
        fitting += 1
        used = answer.weights_gib + answer.reserve_gib + answer.kv_gib
        assert used == pytest.approx(0.9 * CATALOG.gpu(shape.gpu).memory_gib), shape.id
        assert min(answer.weights_gib, answer.reserve_gib, answer.kv_gib) > 0, shape.id
    assert fitting > 500


def test_below_the_least_memory_nothing_fits() -> None:
    for shape in every_layout():
        least = least_memory_gib(CATALOG.model(shape.model), shape.precision, context_tokens=CONTEXT)
        if CATALOG.gpu(shape.gpu).memory_gib * shape.gpu_count < least:
            assert isinstance(outcome(shape), Refusal), shape.id


def test_one_gpu_of_the_least_memory_is_enough() -> None:
    for model, precision in product(CATALOG.models, (BF16, FP8)):
        least = least_memory_gib(model, precision, context_tokens=CONTEXT)
        shape = a_layout(model.name, "H100-80GB", 1, precision)
        for share, kind in ((1.0001, Fit), (0.9999, Refusal)):
            gpu = replace(CATALOG.gpu("H100-80GB"), memory_gib=share * least)
            assert isinstance(fits(model, gpu, shape, context_tokens=CONTEXT, min_kv_tokens=0), kind), (
                shape.id
            )
